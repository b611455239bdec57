"""What a source of images is, what a run would take for granted of it, and what it needs."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from smoothcert.cli.diagnosis import commands
from smoothcert.cli.diagnosis.contents import (
    arrays_in,
    classes_by_number,
    columns_in,
    folders_listed_by,
    lists_near,
    logs_in,
    models_in,
)
from smoothcert.cli.diagnosis.entry import Diagnosis, Entry, inferred, refused, sides_text, some
from smoothcert.cli.diagnosis.mending import mends
from smoothcert.engine.base.errors import InputError, one_line
from smoothcert.engine.sources import ImageSource, PhotographSource, open_source
from smoothcert.engine.sources.base import UNREADABLE, said_of
from smoothcert.engine.sources.options import SourceOptions
from smoothcert.export.datasets import DATASETS

Shape = tuple[int, int, int]

_LOOKED_AT = 12
_MOST_LABELS = 200_000


@dataclass(frozen=True)
class ImagesDiagnosis(Diagnosis):
    """What is found of images.

    options  with which the source opens: those given, and those that a refusal asked for
    source   opened as it is; None where it does not open
    shape    of its images, C, H, W, where they have one size
    choices  options with which it opens, where more than one choice of them does
    """

    options: SourceOptions
    source: ImageSource | None = None
    shape: Shape | None = None
    choices: tuple[SourceOptions, ...] = ()

    @property
    def typed(self) -> dict[str, Any]:
        """The options to type with it."""
        return typed_options(self.options)


def typed_options(options: SourceOptions) -> dict[str, Any]:
    """The options of a source that are given."""
    return {name: value for name, value in vars(options).items() if value}


def diagnose_images(given: str, options: SourceOptions) -> ImagesDiagnosis:
    """What is at `given`, a path or a pattern, as images with labels.

    options  what the user says of it
    """
    found: list[Entry] = []
    try:
        source = open_source(given, None, None, options)
    except InputError as error:
        found = [Entry("images", "not opened", given), refused(error)]

        def open_with(wider: SourceOptions) -> ImageSource:
            return open_source(given, None, None, wider)

        ways = mends(open_with, options, error, _values(given))
        for way in ways:
            more = {k: v for k, v in typed_options(way.options).items()
                    if v != getattr(options, k)}  # fmt: skip
            note = f"with it: {len(way.opened)} images, {way.opened.describe()['kind']}"
            found.append(Entry("option", commands.typed(more), note))
        if not ways:
            found += _other_contents(given, error)
        if len(ways) != 1:
            choices = tuple(way.options for way in ways)
            return ImagesDiagnosis(tuple(found), bool(ways), options, choices=choices)
        options, source = ways[0].options, ways[0].opened
    described = source.describe()
    found.append(Entry("images", str(len(source)), f"{given}, {described['kind']}"))
    found += inferred(said_of(source))
    found += _labels(source, described)
    looked = _looked_at(source)
    found += looked.entries
    found += _digest(source)
    return ImagesDiagnosis(tuple(found), looked.readable, options, source, looked.shape)


def next_steps(given: str, found: ImagesDiagnosis) -> list[Entry]:
    """The commands to type, where no model is given: to look at one with them, to certify."""
    if found.choices:
        labelled = [choice for choice in found.choices if not choice.unlabelled]
        return [
            commands.certify(source=given, options=typed_options(choice))
            for choice in labelled or found.choices
        ]
    if found.source is None or not found.usable:
        return []
    return [
        *_fitting(found),
        commands.doctor(commands.MODEL, given, options=found.typed),
        commands.certify(source=given, options=found.typed),
        *by_number(
            given,
            said_of(found.source),
            lambda option: commands.certify(source=given, options={**found.typed, **option}),
        ),
    ]


def by_number(
    given: str,
    said: Iterable[str],
    then: Callable[[Mapping[str, Any]], Entry],
    classes: int | None = None,
) -> list[Entry]:
    """The commands for folders that are named by numbers which are not their classes' places,
    where what is `said` of them asks for --classes.

    then     the command after the list is made, by the option that names it
    classes  how many the model has, where that is known
    """
    listed: tuple[str, ...] = ()
    if any("--classes" in sentence for sentence in said):
        listed = classes_by_number(Path(given), classes)
    if not listed:
        return []
    option = {"classes": commands.CLASS_LIST}
    note = "if the folders are named by the numbers of the classes: by a list, to be made first"
    return [
        Entry("option", commands.typed(option), note), commands.class_list(listed), then(option),
    ]  # fmt: skip


def _values(given: str) -> Callable[[str], Iterable[Any]]:
    """What to try of an option that a refusal names."""
    path = Path(given)
    of_option: dict[str, Callable[[Path], Iterable[Any]]] = {
        "labels": lists_near,
        "classes": lists_near,
        "arrays": arrays_in,
        "columns": columns_in,
        "unlabelled": lambda path: [True],
    }
    return lambda name: of_option[name](path) if name in of_option else ()


def _other_contents(given: str, refusal: InputError) -> list[Entry]:
    """What may have been meant by what is no source: models or logs in a folder, the folder beside
    a list of labels, or the one that the file is in."""
    path = Path(given)
    if path.is_file():
        listed = [
            commands.doctor(str(folder), options={"labels": path})
            for folder in folders_listed_by(path)
        ]
        alone = "give its folder" in str(refusal) and "--labels " + given not in str(refusal)
        return listed or ([commands.doctor(str(path.parent))] if alone else [])
    found = []
    if models := [str(model) for model in models_in(path)]:
        note = f"there are models in it: {some(models)}"
        found += [Entry("folder", "hint", note), commands.doctor(models[0])]
    if logs := [str(log) for log in logs_in(path)]:
        note = f"there are logs in it: {some(logs)}"
        found += [Entry("folder", "hint", note), commands.analyze(given)]
    return found


def _labels(source: ImageSource, described: dict[str, Any]) -> list[Entry]:
    """The range of labels, and how many images the classes have."""
    count = min(len(source), _MOST_LABELS)
    labels = Counter(source.label(index) for index in range(count))
    of = "" if count == len(source) else f" of the first {count:,}"
    if set(labels) == {-1}:
        return [Entry("labels", "none", "every label is -1, and no image counts as correct")]
    each = sorted(labels.values())
    images = f"{each[0]} to {each[-1]} images"
    if each[0] == each[-1]:
        images = f"{each[0]} image{'s' if each[0] > 1 else ''} each"
    known = described.get("classes")
    classes = "" if known is None else f"; the source has {known} classes"
    note = f"{len(labels)} labels{of}, {images}{classes}"
    return [Entry("labels", f"{min(labels)}..{max(labels)}", note)]


@dataclass(frozen=True)
class _Looked:
    """What some images turned out to be."""

    entries: list[Entry]
    shape: Shape | None
    readable: bool


def _looked_at(source: ImageSource) -> _Looked:
    """Some images, the first and the last among them: their sizes, and those that do not decode."""
    indices = np.unique(np.linspace(0, len(source) - 1, _LOOKED_AT).astype(int)).tolist()
    sizes: Counter[Shape] = Counter()
    unreadable: list[Entry] = []
    for index in indices:
        try:
            sizes[_size(source, index)] += 1
        except UNREADABLE as error:
            note = f"image {index}: {one_line(error, None)}"
            unreadable.append(Entry("image", "unreadable", note))
    photographs = isinstance(source, PhotographSource)
    found = []
    listed = [f"{sides_text(size)} ({count})" for size, count in sizes.most_common()]
    if len(sizes) == 1:
        note = "photographs" if photographs else "arrays, as they are stored"
        note += f"; looked at {len(indices)} of {len(source)} images"
        found.append(Entry("size", sides_text(next(iter(sizes))), note))
    elif sizes:
        note = f"{some(listed)}; a model takes one size: it resizes and crops (--resize S)"
        found.append(Entry("size", "several", note))
    found += unreadable[:3]
    if unreadable and sizes:
        note = "a run goes on past such images and names them (with --strict it stops)"
        found.append(Entry("image", "hint", note))
    shape = next(iter(sizes)) if len(sizes) == 1 else None
    return _Looked(found, shape, bool(sizes))


def _size(source: ImageSource, index: int) -> Shape:
    """C, H, W of an image before any resize."""
    if isinstance(source, PhotographSource):
        photograph = source.whole(index)
        return len(photograph.getbands()), photograph.height, photograph.width
    channels, height, width = source.image(index).shape
    return channels, height, width


def _digest(source: ImageSource) -> list[Entry]:
    try:
        digest = str(source.describe()["digest"])
    except (InputError, KeyError):
        return []
    return [Entry("digest", digest[:16], "of its files: what a run compares when it is resumed")]


def _fitting(found: ImagesDiagnosis) -> list[Entry]:
    """What a model of these images takes."""
    if found.shape is None:
        return [Entry("model", "hint", "one that resizes photographs, such as of ImageNet")]
    names = [name for name, dataset in DATASETS.items() if dataset.shape == found.shape]
    like = f", as of {' and '.join(names)}" if names else ""
    note = f"one with the input {sides_text(found.shape)}{like}"
    if isinstance(found.source, PhotographSource):
        note += "; another needs --resize S, its shorter side before a centre crop"
    return [Entry("model", "hint", note)]
