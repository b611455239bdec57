"""What a checkpoint says of itself, each fact of the kind that it has to be or one line."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.input_spec import InputSpec, Interpolation, range_normalisation
from smoothcert.engine.base.ranges import CLASSES, MEAN, PIXELS, SIDE, STD
from smoothcert.engine.base.wording import is_name, shown
from smoothcert.export.datasets import DATASETS, Dataset


@dataclass(frozen=True)
class Wishes:
    """What the options of `export` say of a network's classes and input; None: they do not.

    num_classes, input_shape (C, H, W), dataset (a name of DATASETS)
    mean, std      per channel, of [0, 1] pixels
    input_range    what the pixels 0 and 255 become; not beside mean and std
    resize         the shorter side of a photograph before the centre crop
    """

    num_classes: int | None = None
    dataset: str | None = None
    input_shape: tuple[int, int, int] | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    input_range: tuple[float, float] | None = None
    resize: int | None = None
    interpolation: Interpolation | None = None

    def normalisation(self, channels: int) -> tuple[Any, Any]:
        """mean and std, those of input_range included; None for what was not said.

        Raises InputError where both say it, and for a range that is none.
        """
        if self.input_range is None:
            return self.mean, self.std
        if self.mean is not None or self.std is not None:
            raise InputError(
                f"--input-range {','.join(map(str, self.input_range))} says what --mean and --std "
                "say: expected one of the two; leave the other out"
            )
        low, high = self.input_range
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            raise InputError(f"input range {low},{high} is none: expected LOW,HIGH, such as -1,1")
        return range_normalisation(low, high, channels)


@dataclass(frozen=True)
class Facts:
    """Entries of a checkpoint beside its weights; `name` is what messages call the checkpoint."""

    name: str
    entries: Mapping[str, Any]

    @classmethod
    def of(cls, path: Path, entries: Mapping[str, Any]) -> "Facts":
        """The entries of a checkpoint's file."""
        return cls(f"checkpoint {path}", entries)

    def __contains__(self, key: str) -> bool:
        return key in self.entries

    def arch(self) -> str | None:
        """The architecture that it names.

        Raises InputError for one that is code of somebody's: a file does not choose what is run.
        """
        value: Any = self.entries.get("arch")
        if value is None:
            return None
        if not is_name(value):
            raise self._wrong("arch", "a name", "--arch NAME")
        library, colon, entry = value.partition(":")
        if colon and not (library in ("timm", "torchvision") and re.fullmatch(r"[\w.]+", entry)):
            raise InputError(
                f"{self.name} names the architecture {shown(value, 100)}, which is code that no "
                "file chooses: where you trust it, say so with --arch, as pkg.module:factory"
            )
        return str(value)

    def dataset(self) -> str | None:
        """The dataset that it names, known or not."""
        value: Any = self.entries.get("dataset")
        if value is not None and not is_name(value):
            raise self._wrong("dataset", "a name", "--dataset NAME")
        return None if value is None else str(value)

    def num_classes(self) -> int | None:
        """The classes that it names; None for what is no number, as before there were others."""
        value = self.entries.get("num_classes")
        if not isinstance(value, int) or isinstance(value, bool) or value == 0:
            return None
        if value == 1 or not CLASSES.holds(value):
            raise self._wrong("num_classes", f"a number of 2 to {CLASSES.high}", "--num-classes")
        return value

    def input_shape(self) -> tuple[int, int, int] | None:
        """C, H, W."""
        value = self.entries.get("input_shape")
        if value is None or value == [] or value == ():
            return None
        sides = value if isinstance(value, list | tuple) else ()
        if len(sides) == 3 and all(_is_count(side) for side in sides):
            channels, height, width = map(int, sides)
            if PIXELS.holds(channels * height * width):
                return channels, height, width
        raise self._wrong("input_shape", "three numbers C, H, W", "--input-shape C,H,W")

    def numbers(self, key: str) -> tuple[float, ...] | None:
        """`mean` or `std`: a number per channel."""
        value = self.entries.get(key)
        if value is None:
            return None
        if isinstance(value, list | tuple):
            bounds = {"mean": MEAN, "std": STD}[key]
            if all(map(bounds.holds, value)):
                return tuple(map(float, value))
        raise self._wrong(key, "a list of numbers, one per channel", f"--{key}")

    def resize(self) -> int | None:
        """The shorter side of a photograph before the crop."""
        value = self.entries.get("resize")
        if value is not None and not _is_count(value):
            raise self._wrong("resize", "a number of pixels", "--resize")
        return None if value is None else int(value)

    def interpolation(self) -> Any:
        """How photographs are resized."""
        value = self.entries.get("interpolation")
        if value is not None and value not in ("bilinear", "bicubic"):
            raise self._wrong("interpolation", "bilinear or bicubic", "--interpolation")
        return value

    def _wrong(self, key: str, expected: str, option: str) -> InputError:
        return InputError(
            f"{self.name} says {key} {shown(self.entries[key], 60)}: expected {expected}; "
            f"give {option}"
        )


def _is_count(value: Any) -> bool:
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and 1 <= value <= SIDE.high
        and value == int(value)
    )


def implied_dataset(name: str | None) -> Dataset | None:
    """The dataset of a name, None where it is none of ours."""
    return DATASETS.get(name or "")


def input_spec(facts: Facts, implied: Dataset | None, wishes: Wishes) -> InputSpec:
    """A network's input: what the options say, else the checkpoint, else its dataset.

    Raises InputError where nothing tells its shape, and for numbers that describe no input.
    """
    shape = wishes.input_shape or facts.input_shape() or (implied.shape if implied else None)
    if shape is None:
        raise InputError(
            f"{facts.name} does not tell its input: give --dataset or --input-shape C,H,W"
        )
    channels, height, width = shape
    mean, std = wishes.normalisation(channels)

    def first(*values: Any) -> Any:
        return next((value for value in values if value is not None), None)

    default = InputSpec.of_shape(channels, height, width)
    resize = first(wishes.resize, facts.resize())
    if resize is None and "resize" not in facts:
        resize = implied.resize if implied else default.resize
    return InputSpec(
        channels,
        height,
        width,
        mean=tuple(first(mean, facts.numbers("mean"), implied.mean if implied else ())),
        std=tuple(first(std, facts.numbers("std"), implied.std if implied else ())),
        resize=resize,
        interpolation=first(wishes.interpolation, facts.interpolation(), "bilinear"),
    )
