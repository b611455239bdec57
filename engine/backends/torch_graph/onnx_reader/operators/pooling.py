"""Pooling over windows and over whole images."""

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F

from smoothcert.engine.backends.torch_graph.onnx_reader.operators.convolution import (
    Window,
    window_of,
)
from smoothcert.engine.backends.torch_graph.onnx_reader.operators.padding import padded
from smoothcert.engine.backends.torch_graph.onnx_reader.site import Operator, Site
from smoothcert.engine.backends.torch_graph.onnx_reader.values import Value, dtype_of, shape_of

_MAXIMA: dict[int, Callable[..., Any]] = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
_AVERAGES: dict[int, Callable[..., Any]] = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}


def _max_pool(site: Site, x: Value) -> Value:
    """The rim never wins: it is of minus infinity, torch's own or ours."""
    site.ignore("storage_order")  # of the indices, which are not brought over
    window = window_of(site, x, site.attribute("kernel_shape"))
    ceil = _ceil_mode(site, x, window)
    if not dtype_of(x).is_floating_point:
        site.refuse(f"images of {dtype_of(x)}")
    pads = window.before
    if not _torch_pads(window):
        if ceil:
            site.refuse(f"ceil_mode with pads {[*window.before, *window.after]}")
        x, pads = padded(site, x, pads, window.after, -math.inf), (0,) * len(pads)
    pool = _MAXIMA[len(window.size)]
    return site.call(pool, x, window.size, window.strides, pads, window.dilations, ceil)


def _average_pool(site: Site, x: Value) -> Value:
    """The mean over a window: of the pixels of the image in it, or of those of the rim too."""
    window = window_of(site, x, site.attribute("kernel_shape"))
    count_rim = bool(site.attribute("count_include_pad", 0))
    ceil = _ceil_mode(site, x, window)
    if any(step != 1 for step in window.dilations):
        site.refuse(f"dilations {list(window.dilations)}")
    pool = _AVERAGES[len(window.size)]
    if _torch_pads(window):
        return site.call(pool, x, window.size, window.strides, window.before, ceil, count_rim)
    if ceil:
        site.refuse(f"ceil_mode with pads {[*window.before, *window.after]}")
    whole = padded(site, x, window.before, window.after)
    mean = site.call(pool, whole, window.size, window.strides)
    if count_rim:
        return mean
    image = torch.ones(1, 1, *shape_of(x)[2:], dtype=torch.float64)
    inside = padded(site, image, window.before, window.after)
    share: torch.Tensor = pool(inside, window.size, window.strides)
    return site.call(torch.div, mean, share.to(dtype_of(x)))


def _torch_pads(window: Window) -> bool:
    """Whether torch's pooling takes these pads itself: the same on both sides, half a window."""
    halves = zip(window.before, window.size, strict=True)
    return window.before == window.after and all(2 * pad <= size for pad, size in halves)


def _ceil_mode(site: Site, x: Value, window: Window) -> bool:
    """Whether the number of windows is rounded up, where that makes a difference.

    A last window that would start behind image and first rim is left out, here as there.
    """
    pads, reach = [*window.before, *window.after], [*window.reach, *window.reach]
    if any(pad >= pixels for pad, pixels in zip(pads, reach, strict=True)):
        site.refuse(f"pads {pads} with windows of {list(window.reach)}")
    if not site.attribute("ceil_mode", 0):
        return False
    site.expect("auto_pad", "NOTSET")
    sides = [side + pads[axis] + pads[axis + len(window.size)]
             for axis, side in enumerate(shape_of(x)[2:])]  # fmt: skip
    return any(
        (side - pixels) % stride
        for side, pixels, stride in zip(sides, window.reach, window.strides, strict=True)
    )


def _global_mean(site: Site, x: Value) -> Value:
    return site.call(torch.mean, x, tuple(range(2, len(shape_of(x)))), True)


def _global_max(site: Site, x: Value) -> Value:
    return site.call(torch.amax, x, tuple(range(2, len(shape_of(x)))), True)


OPERATORS: dict[str, Operator] = {
    "AveragePool": _average_pool,
    "GlobalAveragePool": _global_mean,
    "GlobalMaxPool": _global_max,
    "MaxPool": _max_pool,
}
