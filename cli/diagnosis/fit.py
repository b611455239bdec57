"""Images as a model sees them: whether they become its input, and the options that this takes."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from smoothcert.cli.diagnosis import commands
from smoothcert.cli.diagnosis.contents import lists_near
from smoothcert.cli.diagnosis.entry import Entry, refused
from smoothcert.cli.diagnosis.images import typed_options
from smoothcert.cli.diagnosis.mending import mends, named_options
from smoothcert.engine.base.errors import InputError, one_line
from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.engine.models.model import Model
from smoothcert.engine.sources import ImageSource, open_source
from smoothcert.engine.sources.base import UNREADABLE
from smoothcert.engine.sources.options import SourceOptions
from smoothcert.export.foreign.options import ModelOptions
from smoothcert.export.opening import open_model

_LOOKED_AT = 12


@dataclass(frozen=True)
class Pairing:
    """A model and a source, each as it is given and with the options that it is opened with."""

    path: Path
    model: Model
    of_model: ModelOptions
    images: str
    of_source: SourceOptions

    @property
    def options(self) -> dict[str, Any]:
        """The options to type with the two."""
        return self.of_model.given() | typed_options(self.of_source)


@dataclass(frozen=True)
class Fit:
    """How the two fit.

    entries  refusals, and what helps
    source   as the model sees it; None where it does not fit
    pairing  with the options with which it does
    """

    entries: list[Entry]
    source: ImageSource | None
    pairing: Pairing


def fit(pairing: Pairing) -> Fit:
    """The source as the model needs it; with the options that a refusal names, where one helps."""
    spec, classes = pairing.model.spec, pairing.model.num_classes

    def open_with(options: SourceOptions) -> ImageSource:
        return _opened(pairing.images, spec, classes, options)

    try:
        source = open_with(pairing.of_source)
    except InputError as error:
        resized = _resized(pairing, error)
        if resized is not None:
            return resized
        lists = lists_near(Path(pairing.images))
        values: dict[str, list[Any]] = {"labels": lists, "classes": lists, "unlabelled": [True]}
        ways = mends(open_with, pairing.of_source, error, lambda name: values.get(name, []))
        found = [refused(error)]
        for way in ways:
            given = typed_options(pairing.of_source)
            more = {k: v for k, v in typed_options(way.options).items() if k not in given}
            note = f"with it: {len(way.opened)} images"
            found.append(Entry("option", commands.typed(more), note))
        if len(ways) != 1:
            return Fit(found, None, pairing)
        (way,) = ways
        return Fit(found, way.opened, replace(pairing, of_source=way.options))
    return Fit([], source, pairing)


def _resized(pairing: Pairing, refusal: InputError) -> Fit | None:
    """The fit with --resize, where that is what the images lack."""
    spec = pairing.model.spec
    if "resize" not in named_options(str(refusal)) or spec.resize is not None:
        return None
    wider = replace(pairing.of_model, resize=max(spec.height, spec.width))
    try:
        model = open_model(pairing.path, wider)
        source = _opened(pairing.images, model.spec, model.num_classes, pairing.of_source)
    except InputError:
        return None
    note = "with it: the shorter side of every image becomes that, then a centre crop"
    option = Entry("option", commands.typed({"resize": wider.resize}), note)
    return Fit([refused(refusal), option], source, replace(pairing, model=model, of_model=wider))


def _opened(images: str, spec: InputSpec, classes: int, options: SourceOptions) -> ImageSource:
    """The source; raises InputError too where none of some images becomes the model's input."""
    source = open_source(images, spec, classes, options)
    problem: InputError | None = None
    for index in np.unique(np.linspace(0, len(source) - 1, _LOOKED_AT).astype(int)).tolist():
        try:
            source.image(index)
        except UNREADABLE as error:
            problem = problem or InputError(one_line(error, None))
        else:
            return source
    if problem is not None:
        raise problem
    return source
