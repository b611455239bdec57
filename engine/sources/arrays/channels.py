"""Where the channels of an array of images are: last, or first where nothing else fits."""

from typing import Any

import numpy.typing as npt

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.input_spec import InputSpec

_OF_PICTURES = (1, 3)


def channels_last(
    images: npt.NDArray[Any], count: int | None, spec: InputSpec | None, file: str
) -> tuple[npt.NDArray[Any], str | None]:
    """The images as [N, H, W, C] or [N, H, W], a view of the array; and what they were, where
    that is something else: "NCHW", "one image", "rows".

    count  the number of labels; None: there are none
    spec   the model's input; None: unknown
    Raises InputError where channels may be first or last. A shape that fits nothing is returned as
    it is, for ArraySource to refuse.
    """
    if images.ndim == 2:
        return _flattened(images, count, spec)
    if images.ndim == 3 and _is_one(images, count, spec):
        stack, layout = channels_last(images[None], 1, spec, file)
        return stack, layout or "one image"
    if images.ndim != 4:
        return images, None
    return (images.transpose(0, 2, 3, 1), "NCHW") if _first(images, spec, file) else (images, None)


def _first(images: npt.NDArray[Any], spec: InputSpec | None, file: str) -> bool:
    """Whether the channels come first."""
    _, a, b, c = images.shape
    if spec is None:
        return a in _OF_PICTURES and c not in _OF_PICTURES
    as_last, as_first = _fit((c, a, b), spec), _fit((a, b, c), spec)
    if as_last == as_first and as_last:
        raise InputError(
            f"{file}: images are {a}x{b}x{c} by their last dimensions: either end may be the "
            f"channels of the model's input {spec.height}x{spec.width}x{spec.channels} (HxWxC); "
            "give them as PNG files, or in another size"
        )
    return as_first > as_last


def _fit(shape: tuple[int, int, int], spec: InputSpec) -> int:
    """How well (C, H, W) is the model's input: 2 as it is, 1 after a resize and crop, 0 not."""
    if shape == spec.shape:
        return 2
    return int(shape[0] == spec.channels and spec.resize is not None and shape[0] in _OF_PICTURES)


def _is_one(images: npt.NDArray[Any], count: int | None, spec: InputSpec | None) -> bool:
    """Whether [A, B, C] is one image and not as many grey ones as its first side is long."""
    if count is None:
        return spec is not None and spec.channels != 1
    return count == 1 != len(images)


def _flattened(
    images: npt.NDArray[Any], count: int | None, spec: InputSpec | None
) -> tuple[npt.NDArray[Any], str | None]:
    """Grey images whose pixels lie in a row each, or one image. Of colours in a row nothing says
    whether they are pixel by pixel or plane by plane."""
    if spec is not None and spec.channels == 1 and images.shape[1] == spec.height * spec.width:
        if count is None or count == len(images):
            return images.reshape(-1, spec.height, spec.width), "rows"
    elif count == 1 != len(images):
        return images[None], "one image"
    return images, None
