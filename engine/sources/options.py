"""What a user says of a source that does not say it itself."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.wording import printable

READ_AS = "read_as"
"""The manifest's entry, beside a source's digest, of how it was read where that was asked for or
inferred."""

_WHAT_FOR = {
    "labels": "a folder of photographs without class folders",
    "classes": "sources that name their classes",
    "arrays": ".npz files and folders of .npy files",
    "columns": "parquet files",
}


@dataclass(frozen=True)
class SourceOptions:
    """The options --labels, --classes, ... of a source; None where one is not given.

    labels      a list of labels, for a flat folder of photographs
    classes     a list of the model's classes: line k names class k
    arrays      names of the images' and the labels' array in an .npz file or a folder of .npy
                files; of the images' alone where there are no labels
    columns     names of the images' and the labels' column in parquet files, likewise
    unlabelled  the source has no labels, or they are not to be read: every label is -1

    Raises InputError for options that exclude each other.
    """

    labels: Path | None = None
    classes: Path | None = None
    arrays: tuple[str, ...] | None = None
    columns: tuple[str, ...] | None = None
    unlabelled: bool = False

    def __post_init__(self) -> None:
        """Refuse contradictions."""
        for name in ("labels", "classes"):
            if self.unlabelled and getattr(self, name) is not None:
                raise InputError(
                    f"--{name} and --unlabelled exclude each other: expected labels or none"
                )
        expected = 1 if self.unlabelled else 2
        for name in ("arrays", "columns"):
            asked = getattr(self, name)
            if asked is not None and len(asked) != expected:
                raise InputError(
                    f"--{name} {','.join(asked)} has {len(asked)} names: expected "
                    + (
                        "that of the images alone beside --unlabelled"
                        if self.unlabelled
                        else "those of the images and of their labels"
                    )
                )

    @classmethod
    def names(cls) -> frozenset[str]:
        """The options' names."""
        return frozenset(field.name for field in fields(cls))

    @classmethod
    def among(cls, options: Mapping[str, Any]) -> "SourceOptions":
        """Those of `options` that are about the source."""
        return cls(**{name: value for name, value in options.items() if name in cls.names()})

    def refuse_unused(self, where: str, kind: str, *used: str) -> None:
        """Raise InputError where an option is given that sources of this `kind` have no use for:
        it would be thought to have worked."""
        for name, purpose in _WHAT_FOR.items():
            if getattr(self, name) is not None and name not in used:
                raise InputError(
                    f"--{name} is for {purpose}: {printable(where)} is {kind}; leave it out"
                )

    def of_log(self, described: object) -> "SourceOptions":
        """These options, completed by those that a log's manifest records of its source
        (`described`, of whoever wrote it): arrays, columns and unlabelled.

        Lists of labels and of classes decide what is correct, so they are to be given, not found:
        raises InputError, naming the option, where the log had one and none is given.
        """
        recorded = described.get(READ_AS) if isinstance(described, dict) else None
        if not isinstance(recorded, dict):
            return self
        for name in ("labels", "classes"):
            entry = recorded.get(name)
            if isinstance(entry, dict) and getattr(self, name) is None:
                raise InputError(
                    f"the log's {name} are from the list {printable(entry.get('name'))[:80]}: "
                    f"give it as --{name}"
                )
        found: dict[str, Any] = {}
        for name in ("arrays", "columns"):
            entry = recorded.get(name)
            if getattr(self, name) is None and isinstance(entry, list):
                found[name] = tuple(filter(_is_name, entry))
        if recorded.get("unlabelled") is True:
            found["unlabelled"] = True
        return replace(self, **found)


def _is_name(value: object) -> bool:
    return isinstance(value, str)


NOTHING_SAID = SourceOptions()
