"""What a classifier's first layer expects: shape, pixel scale, and how a photograph becomes it."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.ranges import MEAN, PIXELS, RESIZE, SIDE, STD

LEVELS = 255
"""Pixels are integers 0..255; sigma and radii are in units where LEVELS is 1."""

METADATA_KEY = "smoothcert"
"""The one ONNX metadata property that `export` writes: a JSON object."""

Interpolation = Literal["bilinear", "bicubic"]

Scalar = Literal["float32", "float16", "bfloat16"]
"""What a network's inputs and logits may be made of."""

SCALAR_BYTES: dict[str, int] = {"float32": 4, "float16": 2, "bfloat16": 2}

PRECISIONS: dict[str, Scalar] = {"fp32": "float32", "fp16": "float16", "bf16": "bfloat16"}
"""The precisions of networks of one number type, and that type."""

HALF_PRECISIONS = ("fp16", "bf16")


def precision_of(scalar: str) -> str:
    """The precision of a network that computes in `scalar`."""
    (found,) = [name for name, kind in PRECISIONS.items() if kind == scalar]
    return found


# From this input height on a model is taken to eat photographs, as the original ImageNet code does.
_PHOTOGRAPH_HEIGHT = 128


def range_normalisation(
    low: float, high: float, channels: int
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and std, of [0, 1] pixels, of a network for which pixel 0 becomes low and 255 high."""
    mean, std = (0.0 - low) / (high - low), 1.0 / (high - low)
    return (mean,) * channels, (std,) * channels


@dataclass(frozen=True)
class InputSpec:
    """The input of a classifier: float32 NCHW, `(pixel / 255 - mean) / std` per channel.

    `mean` and `std` are empty where the network eats [0, 1] pixels (it may normalise inside).
    `resize` is the length the shorter side of a photograph is resized to before the centre crop
    to (height, width); None means that images must already have the input's size.
    """

    channels: int
    height: int
    width: int
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    resize: int | None = None
    interpolation: Interpolation = "bilinear"

    def __post_init__(self) -> None:
        """Refuse what cannot describe an input."""
        SIDE.check_all(self.shape)
        PIXELS.check(self.num_pixels)
        for name, values, bounds in (("mean", self.mean, MEAN), ("std", self.std, STD)):
            if values and len(values) != self.channels:
                raise InputError(
                    f"{name} has {len(values)} values, expected {self.channels}, one per channel"
                )
            bounds.check_all(values)
        if self.resize is not None:
            RESIZE.check(self.resize)
        if self.resize is not None and self.resize < max(self.height, self.width):
            raise InputError(
                f"resize {self.resize} is below the input size {self.height}x{self.width}: "
                "expected at least the crop's longer side"
            )
        if self.interpolation not in ("bilinear", "bicubic"):
            raise InputError(
                f"interpolation {self.interpolation!r} is unknown: expected bilinear or bicubic"
            )

    @classmethod
    def of_shape(cls, channels: int, height: int, width: int) -> "InputSpec":
        """The default for a model that says nothing but its shape: [0,1] pixels, and the
        original's Resize(256) + CenterCrop for photograph-sized inputs."""
        photograph = min(height, width) >= _PHOTOGRAPH_HEIGHT and max(height, width) <= 256
        return cls(channels, height, width, resize=256 if photograph else None)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W)."""
        return self.channels, self.height, self.width

    @property
    def num_pixels(self) -> int:
        """C * H * W, the dimension of the noise."""
        return self.channels * self.height * self.width

    def affine(self) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """(a, b), float32 [C]: the network's input is `a_c * (u + N) + b_c` for the integer pixel
        u + N, each folded in float64 and rounded once."""
        mean = np.array(self.mean or (0.0,) * self.channels, dtype=np.float64)
        std = np.array(self.std or (1.0,) * self.channels, dtype=np.float64)
        return (1.0 / (LEVELS * std)).astype(np.float32), (-mean / std).astype(np.float32)

    def to_metadata(self) -> dict[str, Any]:
        """The part of the ONNX metadata object that describes the input."""
        fields = asdict(self)
        shape = [fields.pop(side) for side in ("channels", "height", "width")]
        return {"input_shape": shape, **fields}

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, Any]) -> "InputSpec":
        """The inverse of to_metadata; raises InputError where the object is not of its form."""
        try:
            channels, height, width = metadata["input_shape"]
            found = cls(
                channels,
                height,
                width,
                tuple(metadata["mean"]),
                tuple(metadata["std"]),
                metadata["resize"],
                metadata["interpolation"],
            )
            return replace(
                found, mean=tuple(map(float, found.mean)), std=tuple(map(float, found.std))
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"model metadata {json.dumps(dict(metadata), default=str)[:200]} does not describe "
                f"an input ({error}): expected what `smoothcert export` writes; export it again"
            ) from None
