"""Arrays of other types as 8-bit pixels, where they are nothing else: no value is rounded."""

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.input_spec import LEVELS
from smoothcert.engine.base.memory import check_fits

Scale = Literal["k", "k/255"]
"""What a pixel 0..255 is stored as: itself, or its share of 255."""

_BLOCK = 1 << 22  # values at a time
# Of float32, and so of float64 arrays made from such: four steps at 1, or at 255 where pixels are
# k (255 times k/255, say). Neighbours are 1/255 or 1 apart.
_CLOSE = 2.0**-22
_CLOSE_HALF = 2.0**-10


def to_bytes(images: npt.NDArray[Any], file: str) -> tuple[npt.NDArray[np.uint8], Scale | None]:
    """Images [N, ...] as uint8 of their shape, and how their pixels were stored (None: so).

    Integers are pixels where they are in 0..255. Floats are where every value is k, or every value
    is k/255, to the rounding of their type; the type is uint8's otherwise, a copy of the array.
    Raises InputError, naming the first image and value that is neither, and where all values are 0
    or 1, which may be either.
    """
    kind = images.dtype.kind
    if images.dtype == np.uint8 or not images.ndim or kind not in "iufb" or not images.size:
        return images, None  # what is no image is refused where its shape is
    if kind == "b":
        raise InputError(
            f"{file}: images are true or false, which may be 255 or 1: expected 8-bit pixels; save "
            "np.uint8(255) * images, or images.astype('uint8')"
        )
    check_fits(images.size, f"{file}: an array {list(images.shape)} of pixels", "a smaller one")
    low, high = _range(images, file)
    spread = f"its pixels are {low:g}..{high:g}"
    if kind in "iu":
        if low < 0 or high > LEVELS:
            raise InputError(
                f"{file}: {spread} ({images.dtype}): expected 8-bit pixels in 0..{LEVELS}, which "
                "certificates are about; scale and round them, and it is about the rounded ones"
            )
        if high == 1:
            raise _only_ends(images, file)
        return images.astype(np.uint8), "k"
    close = closeness(images.dtype)
    if low < -close or high > LEVELS * (1 + close):
        raise InputError(
            f"{file}: {spread} ({images.dtype}): expected k/{LEVELS} in 0..1, or whole numbers in "
            f"0..{LEVELS}; they are normalised already, so give pixels, and the model its "
            "normalisation (--mean and --std)"
        )
    scale: Scale = "k" if high > 1 + _CLOSE else f"k/{LEVELS}"  # type: ignore[assignment]
    factor = 1 if scale == "k" else LEVELS
    pixels = np.empty(images.shape, dtype=np.uint8)
    only_ends = high > 0 and scale != "k"
    for start, block in _blocks(images):
        # A product in float64 is off by far less than what counts as close.
        scaled = block.astype(np.float64) * factor
        nearest = np.rint(scaled)
        _check_close(images.dtype, scaled, nearest, start, scale, f"{file}: {spread}")
        pixels[start : start + len(block)] = nearest
        only_ends = only_ends and bool(((nearest == 0) | (nearest == factor)).all())
    if only_ends:
        raise _only_ends(images, file)
    return pixels, scale


def closeness(dtype: np.dtype[Any]) -> float:
    """How far from k/255, at most, a float of that type counts as k/255."""
    return _CLOSE_HALF if dtype == np.float16 else _CLOSE


def _only_ends(images: npt.NDArray[Any], file: str) -> InputError:
    return InputError(
        f"{file}: all its values are 0 or 1 ({images.dtype}), which may be the pixels 0 and "
        f"{LEVELS}, or 0 and 1: expected either 8-bit pixels; save them as uint8"
    )


def _check_close(
    dtype: np.dtype[Any],
    scaled: npt.NDArray[np.float64],
    nearest: npt.NDArray[np.float64],
    start: int,
    scale: Scale,
    where: str,
) -> None:
    """Raise InputError for the first value that is no pixel on the scale."""
    close = closeness(dtype)
    wrong = np.abs(scaled - nearest) > LEVELS * close
    if not wrong.any():
        return
    index = np.unravel_index(int(np.argmax(wrong)), wrong.shape)
    value, k = scaled[index], int(nearest[index])
    shown = f"{value:.6g}" if scale == "k" else f"{value / LEVELS:.6g}"
    rounded = "np.rint(images)" if scale == "k" else f"np.rint({LEVELS} * images)"
    raise InputError(
        f"{where}, and image {start + int(index[0])} has the value {shown}, nearest to "
        f"{scale.replace('k', str(k))}: expected {scale} with whole k everywhere, since a "
        f"certificate is about 8-bit images; save {rounded}.astype('uint8'), and it is about those"
    )


def _range(images: npt.NDArray[Any], file: str) -> tuple[float, float]:
    """The least and the largest value; raises InputError for one that is no number."""
    lows, highs = [], []
    for start, block in _blocks(images):
        low, high = float(block.min()), float(block.max())
        if not np.isfinite(low + high):
            wrong = ~np.isfinite(block.reshape(len(block), -1)).all(axis=1)
            raise InputError(
                f"{file}: image {start + int(np.argmax(wrong))} has a value that is no finite "
                f"number ({images.dtype}): expected 8-bit pixels; save them so"
            )
        lows.append(low)
        highs.append(high)
    return min(lows), max(highs)


def _blocks(images: npt.NDArray[Any]) -> Iterator[tuple[int, npt.NDArray[Any]]]:
    """The images in parts, each with the index of its first: an array may be mapped from a file
    that is larger than memory."""
    step = max(1, _BLOCK * len(images) // images.size)
    for start in range(0, len(images), step):
        yield start, images[start : start + step]
