"""Resizing as two matrix products: what torch's F.interpolate computes, exact in any runtime.

Every row and every column of an image is a linear function of those of the other size, so that
`rows @ image @ columns.T` resizes it. On a CPU that is far faster than ONNX Runtime's Resize where
it is bicubic, and no runtime has a rule of its own for where a pixel lies.
"""

import math
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

Between = Literal["bilinear", "bicubic", "bilinear-antialias", "bicubic-antialias"]
"""Modes of F.interpolate with align_corners=False; the last two with antialias=True, which is what
Pillow does (bicubic with another coefficient, whether an image shrinks or grows)."""

BETWEEN: tuple[Between, ...] = get_args(Between)

_CUBIC, _CUBIC_ANTIALIAS = -0.75, -0.5
"""The coefficient of torch's bicubic kernels (Keys 1981)."""


def weights(before: int, after: int, mode: Between) -> npt.NDArray[np.float64]:
    """The matrix [after, before] that resizes a side; its rows add up to 1.

    Centres of pixels lie on each other. Without antialiasing edges are repeated and nothing is
    smoothed first; with it, a kernel is as wide as the pixels it makes one of, and cut at edges.
    """
    matrix = np.zeros((after, before))
    for new in range(after):
        place = (new + 0.5) * before / after - 0.5
        if mode.endswith("-antialias"):
            matrix[new] = _smoothed(place, before, max(before / after, 1.0), mode)
            continue
        if mode == "bilinear":
            place = max(place, 0.0)
        first = math.floor(place)
        for old in range(first - 1, first + 3):
            weight = _kernel(abs(old - place), mode)
            matrix[new, min(max(old, 0), before - 1)] += weight
    return matrix


def _smoothed(place: float, before: int, width: float, mode: Between) -> npt.NDArray[np.float64]:
    """The weights of all old pixels in the new one at `place`."""
    row = np.array([_kernel(abs(old - place) / width, mode) for old in range(before)])
    weight: npt.NDArray[np.float64] = row / row.sum()
    return weight


def _kernel(distance: float, mode: Between) -> float:
    """The weight of a pixel so far away."""
    if mode.startswith("bilinear"):
        return max(1.0 - distance, 0.0)
    a = _CUBIC_ANTIALIAS if mode.endswith("-antialias") else _CUBIC
    if distance < 1:
        return ((a + 2) * distance - (a + 3)) * distance**2 + 1
    if distance < 2:
        return ((distance - 5) * distance + 8) * distance * a - 4 * a
    return 0.0
