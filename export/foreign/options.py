"""What a user says of a model file that does not say it itself."""

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.input_spec import LEVELS, Interpolation, range_normalisation

Layout = Literal["nchw", "nhwc"]


@dataclass(frozen=True)
class ModelOptions:
    """The options --input-shape, --mean, ... of a foreign model; None where one is not given.

    input_shape    C, H, W, of a model that leaves its sides open
    mean, std      per channel, of [0, 1] pixels: the network's input is (pixel - mean) / std
    input_range    what the pixels 0 and 255 become; not beside mean and std
    resize         the shorter side of a photograph before the centre crop
    layout         of the model's input
    logits         the output to read
    threshold      a single output above it is class 1, else class 0
    Raises InputError for what says nothing, or says it twice.
    """

    input_shape: tuple[int, int, int] | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    input_range: tuple[float, float] | None = None
    resize: int | None = None
    interpolation: Interpolation | None = None
    layout: Layout | None = None
    logits: str | None = None
    threshold: float | None = None

    def __post_init__(self) -> None:
        """Refuse ranges that are none, and a normalisation that is said twice."""
        if self.input_shape is not None and min(self.input_shape) < 1:
            raise InputError(
                f"--input-shape {_list(self.input_shape)} has a side below 1: expected C,H,W >= 1"
            )
        if self.threshold is not None and not math.isfinite(self.threshold):
            raise InputError(f"--threshold {self.threshold} is not finite: expected a number")
        if self.input_range is None:
            return
        if self.mean is not None or self.std is not None:
            raise InputError(
                "--input-range and --mean, --std say the same thing in two ways: give one of them"
            )
        low, high = self.input_range
        if not (math.isfinite(high - low) and low < high):
            raise InputError(
                f"--input-range {_list(self.input_range)} is no range: expected LOW,HIGH, what the "
                "pixels 0 and 255 become, such as -1,1"
            )

    @classmethod
    def names(cls) -> frozenset[str]:
        """The options' names."""
        return frozenset(field.name for field in fields(cls))

    @classmethod
    def among(cls, options: Mapping[str, Any]) -> "ModelOptions":
        """Those of `options` that are about the model."""
        return cls(**{name: value for name, value in options.items() if name in cls.names()})

    @classmethod
    def recorded(cls, record: Any, where: str) -> "ModelOptions":
        """The options that `to_record` wrote, of whoever wrote them; raises InputError, naming
        `where` they stand, for anything else."""
        if not isinstance(record, dict) or not record.keys() <= cls.names():
            raise InputError(f"{where}: expected an object of model options; was it edited?")
        for name, value in record.items():
            if not _FITS[name](value):
                raise InputError(f"{where} have another {name} than it can be: was it edited?")
        lists = {name: tuple(value) for name, value in record.items() if isinstance(value, list)}
        return cls.among({**record, **lists})

    def given(self) -> dict[str, Any]:
        """The options that are given, by name."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    def to_record(self) -> dict[str, Any]:
        """The same as JSON has it."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in self.given().items()
        }

    @property
    def normalises(self) -> bool:
        """Whether something is said of what the pixels become."""
        return not (self.mean is None and self.std is None and self.input_range is None)

    def normalisation(self, channels: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Mean and std of [0, 1] pixels, empty where nothing is taken off or divided by."""
        if self.input_range is None:
            return self.mean or (), self.std or ()
        low, high = map(float, self.input_range)
        if (low, high) == (0.0, 1.0):
            return (), ()
        return range_normalisation(low, high, channels)


def spelled(name: str) -> str:
    """An option as it is typed."""
    return "--" + name.replace("_", "-")


def typed(name: str, value: Any) -> str:
    """An option and its value as they are typed."""
    return f"{spelled(name)} {_list(value) if isinstance(value, tuple | list) else value}"


def _list(values: Any) -> str:
    return ",".join(f"{value:g}" for value in values)


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) < 1e30 and math.isfinite(value)


def _is_size(value: Any) -> bool:
    return type(value) is int and 1 <= value < 2**31


def _list_of(fits: Callable[[Any], bool], count: int | None = None) -> Callable[[Any], bool]:
    return lambda value: (
        isinstance(value, list) and count in (None, len(value)) and all(map(fits, value))
    )


_FITS: dict[str, Callable[[Any], bool]] = {
    "input_shape": _list_of(_is_size, 3),
    "mean": _list_of(_is_number),
    "std": _list_of(_is_number),
    "input_range": _list_of(_is_number, 2),
    "resize": _is_size,
    "interpolation": lambda value: value in ("bilinear", "bicubic"),
    "layout": lambda value: value in ("nchw", "nhwc"),
    "logits": lambda value: isinstance(value, str),
    "threshold": _is_number,
}

PIXELS = (0.0, float(LEVELS))
"""The range of a network that eats pixels as they are in a file."""

NOTHING_SAID = ModelOptions()
