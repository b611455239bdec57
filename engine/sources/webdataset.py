"""webdataset: tar archives of samples, a photograph `key.jpg` beside its label `key.cls`."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.engine.sources import digest, photograph
from smoothcert.engine.sources.encoded import EncodedSource
from smoothcert.engine.sources.labels import check_label
from smoothcert.engine.sources.tar_index import Member, members, read_member

_IMAGE_EXTENSIONS = tuple(extension[1:] for extension in photograph.EXTENSIONS)


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
    label: int


class WebdatasetSource(EncodedSource):
    """The samples of uncompressed tar archives, archive by archive, in the order of their members.

    The key of a member is its path up to the first dot of its file name. A sample has exactly one
    photograph, told by its extension, and its class index in `.cls` (decimal text) or in the field
    `label` or `cls` of a `.json` object. Members without a key or an extension are ignored.
    Opening reads all headers and labels; photographs are read where they lie, one at a time.

    Raises InputError naming the sample that breaks a rule.
    """

    kind = "webdataset"

    def __init__(
        self, files: Sequence[Path], name: str, spec: InputSpec | None, num_classes: int | None
    ) -> None:
        super().__init__(name, spec)
        self._photographs = [
            _photograph(file, sample, num_classes) for file in files for sample in _samples(file)
        ]
        if not self._photographs:
            raise InputError(f"{name}: holds no samples: expected members key.jpg and key.cls")

    def __len__(self) -> int:
        """The number of samples."""
        return len(self._photographs)

    def label(self, index: int) -> int:
        """The class index of a sample."""
        return self._photographs[index].label

    def encoded(self, index: int) -> tuple[bytes, str]:
        """See EncodedSource.encoded."""
        found = self._photographs[index]
        return read_member(found.file, found.member), found.where

    def digest(self) -> str:
        """Of names, sizes and labels."""
        return digest.of_listing(
            (found.file.name, found.member.name, str(found.member.size), str(found.label))
            for found in self._photographs
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
        sample = samples.setdefault(key, _Sample(f"{file}: sample {key}"))
        if extension.lower() in sample.members:
            raise InputError(
                f"{sample.where} has two members .{extension}: expected each key once in a tar; "
                "pack it again with distinct keys"
            )
        sample.members[extension.lower()] = member
    yield from samples.values()


def _photograph(file: Path, sample: _Sample, num_classes: int | None) -> _Photograph:
    images = [sample.members[e] for e in _IMAGE_EXTENSIONS if e in sample.members]
    if len(images) != 1:
        raise InputError(
            f"{sample.where} has {len(images)} photographs (its members: "
            f"{', '.join(sorted(sample.members))}): expected exactly one of "
            f"{', '.join(_IMAGE_EXTENSIONS)}"
        )
    label = _label(file, sample)
    check_label(label, num_classes, sample.where)
    return _Photograph(sample.where, file, images[0], label)


def _label(file: Path, sample: _Sample) -> int:
    """The class index in the sample's .cls, else in its .json."""
    if cls := sample.members.get("cls"):
        text = read_member(file, cls)
        try:
            return int(text)
        except ValueError:
            raise InputError(
                f"{sample.where}: its .cls holds {text[:40]!r}: expected a class index in decimal"
            ) from None
    if description := sample.members.get("json"):
        try:
            fields = json.loads(read_member(file, description))
        except (ValueError, RecursionError) as error:
            raise InputError(
                f"{sample.where}: its .json is not JSON ({error}): expected an object with label"
            ) from None
        for name in ("label", "cls"):
            if isinstance(fields, dict) and type(value := fields.get(name)) is int:
                return value
        raise InputError(
            f"{sample.where}: its .json has no integer label: expected an object with the field "
            "label or cls"
        )
    raise InputError(
        f"{sample.where} has no label (its members: {', '.join(sorted(sample.members))}): expected "
        "a .cls or .json member beside the photograph"
    )
