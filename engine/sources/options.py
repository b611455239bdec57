"""What a user says of a source that does not say it itself."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class SourceOptions:
    """The options --labels, --classes, ... of a source; None where one is not given.

    labels      a list of labels, for a flat folder of photographs
    classes     a list of the model's classes: line k names class k
    arrays      names of the images' and the labels' array in an .npz file
    columns     names of the images' and the labels' column in parquet files
    unlabelled  the source has no labels: every label is -1
    """

    labels: Path | None = None
    classes: Path | None = None
    arrays: tuple[str, str] | None = None
    columns: tuple[str, str] | None = None
    unlabelled: bool = False

    @classmethod
    def names(cls) -> frozenset[str]:
        """The options' names."""
        return frozenset(field.name for field in fields(cls))

    @classmethod
    def among(cls, options: Mapping[str, Any]) -> "SourceOptions":
        """Those of `options` that are about the source."""
        return cls(**{name: value for name, value in options.items() if name in cls.names()})


NOTHING_SAID = SourceOptions()
