"""webdataset: tar archives of samples, a photograph `key.jpg` beside its label `key.cls`."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from smoothcert.engine.base.errors import InputError, one_line
from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.engine.base.wording import printable
from smoothcert.engine.sources import digest, photograph
from smoothcert.engine.sources.archives.tar_index import Member, members, read_member
from smoothcert.engine.sources.encoded import EncodedSource
from smoothcert.engine.sources.given_files import some_of
from smoothcert.engine.sources.labelling.classes import classes_of
from smoothcert.engine.sources.labelling.labels import UNLABELLED, check_label, is_index
from smoothcert.engine.sources.options import NOTHING_SAID, SourceOptions

_IMAGE_EXTENSIONS = tuple(extension[1:] for extension in photograph.EXTENSIONS)
_FIELDS = ("label", "cls", "class")
_LONGEST = 200
_MOST_LABEL = 1 << 20
"""Bytes of a member with a label, at most."""


@dataclass
class _Sample:
    """The members of a tar that share a key, by lower-case extension."""

    where: str
    members: dict[str, Member] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Photograph:
    """Where a sample's photograph lies, and its label."""

    where: str
    file: Path
    member: Member
    label: int | str


class WebdatasetSource(EncodedSource):
    """The samples of uncompressed tar archives, archive by archive, in the order of their members.

    The key of a member is its path up to the first dot of its file name. A sample has exactly one
    photograph, told by its extension, and its class in `.cls` or `.label` (decimal text, or a name,
    see classes_of) or in the field `label`, `cls` or `class` of a `.json` object (the first that is
    an integer, or else a name). Members without a key or an extension are ignored.
    Opening reads all headers and labels; photographs are read where they lie, one at a time.

    Raises InputError naming the sample that breaks a rule.
    """

    kind = "webdataset"

    def __init__(
        self,
        files: Sequence[Path],
        name: str,
        spec: InputSpec | None,
        num_classes: int | None,
        options: SourceOptions = NOTHING_SAID,
    ) -> None:
        super().__init__(name, spec)
        options.refuse_unused(name, "of tar archives", "classes")
        self._photographs = [
            _photograph(file, sample, options.unlabelled)
            for file in files
            for sample in _samples(file)
        ]
        if not self._photographs:
            raise InputError(f"{name}: holds no samples: expected members key.jpg and key.cls")
        self._labels = self._indices(num_classes, options)

    def _indices(self, num_classes: int | None, options: SourceOptions) -> list[int]:
        """The class index of every sample."""
        labels = [found.label for found in self._photographs]
        if options.unlabelled:
            self.read_as["unlabelled"] = True
            return [UNLABELLED] * len(labels)
        if options.classes is not None or any(isinstance(label, str) for label in labels):
            where = f"{self._photographs[0].where} and others"
            named = classes_of(
                set(map(str, labels)), num_classes, options.classes, where, "names of classes"
            )
            self.num_classes = named.classes
            self.read_as.update(dict(named.read_as) or {"classes": "sorted names"})
            self.said = named.said or (f"classes by the {named.classes} sorted names",)
            return [named.index[str(label)] for label in labels]
        indices = [int(label) for label in labels]
        for index, found in zip(indices, self._photographs, strict=True):
            check_label(index, num_classes, found.where)
        return indices

    def __len__(self) -> int:
        """The number of samples."""
        return len(self._photographs)

    def label(self, index: int) -> int:
        """The class index of a sample; -1 without labels."""
        return self._labels[index]

    def encoded(self, index: int) -> tuple[bytes, str]:
        """See EncodedSource.encoded."""
        found = self._photographs[index]
        return read_member(found.file, found.member, photograph.MOST_BYTES), found.where

    def digest(self) -> str:
        """Of names, sizes and labels."""
        return digest.of_listing(
            (found.file.name, found.member.name, str(found.member.size), str(label))
            for found, label in zip(self._photographs, self._labels, strict=True)
        )


def _samples(file: Path) -> Iterator[_Sample]:
    """The samples of one tar by first appearance of their keys."""
    samples: dict[str, _Sample] = {}
    for member in members(file):
        folder, slash, base = member.name.rpartition("/")
        stem, _, extension = base.partition(".")
        if not stem or not extension:
            continue
        key = f"{folder}{slash}{stem}"
        sample = samples.setdefault(key, _Sample(f"{printable(file)}: sample {printable(key)}"))
        if extension.lower() in sample.members:
            raise InputError(
                f"{sample.where} has two members .{printable(extension)}: expected each key once "
                "in a tar; "
                "pack it again with distinct keys"
            )
        sample.members[extension.lower()] = member
    yield from samples.values()


def _photograph(file: Path, sample: _Sample, unlabelled: bool) -> _Photograph:
    images = [sample.members[e] for e in _IMAGE_EXTENSIONS if e in sample.members]
    if len(images) != 1:
        raise InputError(
            f"{sample.where} has {len(images)} photographs (its members: "
            f"{some_of(sorted(sample.members))}): expected exactly one of "
            f"{', '.join(_IMAGE_EXTENSIONS)}"
        )
    label = UNLABELLED if unlabelled else _label(file, sample)
    return _Photograph(sample.where, file, images[0], label)


def _label(file: Path, sample: _Sample) -> int | str:
    """The class in the sample's .cls or .label, else in its .json."""
    found = {
        extension: _of_text(_read_label(file, sample.members[extension]), sample.where, extension)
        for extension in ("cls", "label")
        if extension in sample.members
    }
    if len(set(found.values())) > 1:
        raise InputError(
            f"{sample.where}: its .cls says {found['cls']}, its .label {found['label']}: expected "
            "one label; pack it again with the right one"
        )
    if found:
        return found.popitem()[1]
    if description := sample.members.get("json"):
        return _of_json(_read_label(file, description), sample.where)
    raise InputError(
        f"{sample.where} has no label (its members: {some_of(sorted(sample.members))}): expected "
        "a .cls, .label or .json member beside the photograph; where there are no labels, give "
        "--unlabelled"
    )


def _read_label(file: Path, member: Member) -> bytes:
    return read_member(file, member, _MOST_LABEL)


def _of_text(text: bytes, where: str, extension: str) -> int | str:
    try:
        name = text.decode("utf-8").strip()
    except UnicodeDecodeError:
        name = ""
    if is_index(name):
        return int(name)
    # One line of text: a name, or what classes_of will refuse by it.
    if not (name and name.isprintable() and len(name) <= _LONGEST):
        raise InputError(
            f"{where}: its .{extension} holds {text[:40]!r}: expected a class index in decimal, or "
            "the name of a class"
        )
    return name


def _of_json(text: bytes, where: str) -> int | str:
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"{where}: its .json is not JSON ({one_line(error)}): expected an object with label"
        ) from None
    values = [fields.get(name) for name in _FIELDS] if isinstance(fields, dict) else []
    for value in values:
        if type(value) is int:
            return value
    for value in values:
        if isinstance(value, str) and value:
            return int(value) if is_index(value) else value
    raise InputError(
        f"{where}: its .json has no integer label and no name of a class: expected an object with "
        "the field label, cls or class"
    )
