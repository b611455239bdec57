"""One image as a data set gives it, as 8-bit pixels: no value is rounded."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from smoothcert.engine.base.errors import InputError, one_line
from smoothcert.engine.base.input_spec import LEVELS, InputSpec
from smoothcert.engine.base.wording import printable
from smoothcert.engine.sources.arrays.channels import channels_last
from smoothcert.engine.sources.arrays.eight_bit import closeness
from smoothcert.engine.sources.objects.kinds import array_of, is_array, name_of

_ADVICE = (
    "a certificate is about 8-bit images, and their normalisation is the model's: take Normalize "
    "out of the data set's transform, and give certify mean=... and std=..., or the model "
    "torch.nn.Sequential(Normalize(mean, std), model)"
)


def is_picture(value: object) -> bool:
    """Whether a value may be an image: one of PIL, or an array of two or three dimensions."""
    return isinstance(value, Image.Image) or (is_array(value) and len(value.shape) in (2, 3))  # type: ignore[attr-defined]


def pixels_of(value: Any, where: str, spec: InputSpec | None) -> npt.NDArray[np.uint8]:
    """An array or tensor as uint8 [H, W, C]; its channels are first where only that fits the model
    (`spec`; None: unknown), as channels_last says.

    uint8 is taken as it is, and floats where every value is k/255, to the rounding of their type.
    Raises InputError, naming `where`, for anything else.
    """
    array = array_of(value, where)
    if array.ndim not in (2, 3) or not array.size:
        raise InputError(
            f"{where} is {array.dtype} {list(array.shape)}: expected [C, H, W], [H, W, C] or [H, W]"
        )
    pixels = array if array.dtype == np.uint8 else _from_floats(array, where)
    if pixels.ndim == 2:
        return pixels[..., np.newaxis]
    stack, _ = channels_last(pixels[np.newaxis], 1, spec, where)
    if spec is not None and stack.shape[3] != spec.channels:  # to be told of it by its own shape
        stack, _ = channels_last(pixels[np.newaxis], 1, None, where)
    found: npt.NDArray[np.uint8] = stack[0]
    return found


def _from_floats(array: npt.NDArray[Any], where: str) -> npt.NDArray[np.uint8]:
    if array.dtype.kind != "f":
        raise InputError(
            f"{where} is {array.dtype}: expected uint8, or floats k/{LEVELS} in 0..1; give uint8"
        )
    low, high = float(array.min()), float(array.max())
    if not np.isfinite(low + high):
        raise InputError(
            f"{where} has a value that is no finite number ({array.dtype}): expected k/{LEVELS}"
        )
    close = closeness(array.dtype)
    found = f"{where} is {array.dtype} in {low:g}..{high:g}"
    if low < -close or high > 1 + close:
        raise InputError(f"{found}: expected uint8, or k/{LEVELS} in 0..1; {_ADVICE}")
    scaled = array.astype(np.float64) * LEVELS
    nearest = np.rint(scaled)
    off = np.abs(scaled - nearest)
    if off.max() > LEVELS * close:
        value = array.reshape(-1)[int(np.argmax(off))]
        raise InputError(
            f"{found}, and has the value {value:.6g}, which is no k/{LEVELS}: expected 8-bit "
            "pixels (resize photographs before ToTensor, which keeps them so); " + _ADVICE
        )
    return nearest.astype(np.uint8)


@contextmanager
def decoding(where: str) -> Iterator[None]:
    """Inside, an image of PIL is worked on, which may be decoded only now; raises InputError,
    naming `where`, where that fails: Pillow raises nearly everything."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        reason = printable(one_line(error))
        raise InputError(
            f"{where} cannot be decoded ({reason}): expected a whole image; replace it"
        ) from None


def raw_bytes(value: Any, where: str) -> bytes:
    """What tells an image from another before any resizing: its type, its shape and its values."""
    if isinstance(value, Image.Image):
        with decoding(where):
            return f"{value.mode} {value.size}".encode() + value.tobytes()
    array = array_of(value, where)
    return f"{array.dtype} {array.shape}".encode() + array.tobytes()


def kind_of(value: object) -> str:
    """What to call a value that is no image."""
    shape = getattr(value, "shape", None)
    return f"{name_of(value)}{f' {list(shape)}' if isinstance(shape, tuple) else ''}"
