"""What a user says of a model file that does not say it itself."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from smoothcert.engine.base.input_spec import Interpolation

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

    @classmethod
    def names(cls) -> frozenset[str]:
        """The options' names."""
        return frozenset(field.name for field in fields(cls))

    @classmethod
    def among(cls, options: Mapping[str, Any]) -> "ModelOptions":
        """Those of `options` that are about the model."""
        return cls(**{name: value for name, value in options.items() if name in cls.names()})

    def given(self) -> dict[str, Any]:
        """The options that are given, by name."""
        return {name: value for name, value in asdict(self).items() if value is not None}


NOTHING_SAID = ModelOptions()
