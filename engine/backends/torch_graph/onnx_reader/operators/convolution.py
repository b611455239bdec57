"""Convolutions, and the windows that pooling shares with them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from smoothcert.engine.backends.torch_graph.onnx_reader.operators.padding import padded
from smoothcert.engine.backends.torch_graph.onnx_reader.site import Operator, Site
from smoothcert.engine.backends.torch_graph.onnx_reader.values import Value, dtype_of, shape_of

_MODULES = {3: nn.Conv1d, 4: nn.Conv2d, 5: nn.Conv3d}


@dataclass(frozen=True)
class Window:
    """How a kernel moves over an image: one number of each for every spatial axis."""

    size: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]

    @property
    def reach(self) -> tuple[int, ...]:
        """The pixels from a kernel's first to its last, both counted."""
        return tuple((k - 1) * step + 1 for k, step in zip(self.size, self.dilations, strict=True))


def window_of(site: Site, x: Value, size: Sequence[int]) -> Window:
    """The window of a convolution or a pooling of x; auto_pad is resolved."""
    rank = len(size)
    sides = shape_of(x)[2:]
    if len(sides) != rank:
        site.refuse(f"a kernel of {rank} axes over {len(sides)} spatial ones")
    strides = tuple(site.attribute("strides") or [1] * rank)
    dilations = tuple(site.attribute("dilations") or [1] * rank)
    pads = tuple(site.attribute("pads") or [0] * 2 * rank)
    if not len(strides) == len(dilations) == rank == len(pads) // 2 or min(pads) < 0:
        site.refuse(f"strides {strides}, dilations {dilations}, pads {pads} of {rank} axes")
    auto = site.attribute("auto_pad", "NOTSET")
    window = Window(tuple(size), strides, dilations, pads[:rank], pads[rank:])
    if auto == "NOTSET":
        return window
    none = (0,) * rank
    if auto == "VALID":
        return Window(tuple(size), strides, dilations, none, none)
    if auto not in ("SAME_UPPER", "SAME_LOWER"):
        site.refuse(f"auto_pad is {auto}")
    if any(step != 1 for step in dilations):
        site.refuse(f"auto_pad {auto} with dilations {dilations}")
    total = [
        max((math.ceil(side / stride) - 1) * stride + kernel - side, 0)
        for side, stride, kernel in zip(sides, strides, size, strict=True)
    ]
    smaller = tuple(pixels // 2 for pixels in total)
    larger = tuple(pixels - pixels // 2 for pixels in total)
    if auto == "SAME_UPPER":
        return Window(tuple(size), strides, dilations, smaller, larger)
    return Window(tuple(size), strides, dilations, larger, smaller)


def _convolution(site: Site, x: Value, weight: Value, bias: Value | None = None) -> Value:
    """A module with padding of its own where both sides have the same, else padded before."""
    kernel = site.known(weight, "the weight")
    shift = None if bias is None else site.known(bias, "the bias")
    size = tuple(kernel.shape[2:])
    stated = site.attribute("kernel_shape")
    if stated and tuple(stated) != size:
        site.refuse(f"kernel_shape {list(stated)} with a weight of shape {list(kernel.shape)}")
    if kernel.dtype != dtype_of(x) or (shift is not None and shift.dtype != dtype_of(x)):
        site.refuse(f"an image of {dtype_of(x)} with a weight of {kernel.dtype}")
    if kernel.ndim not in _MODULES:
        site.refuse(f"a weight of {kernel.ndim} dimensions")
    window = window_of(site, x, size)
    groups = site.attribute("group", 1)
    channels = kernel.shape[1] * groups
    if shape_of(x)[1] != channels or (shift is not None and shift.shape != kernel.shape[:1]):
        site.refuse(f"{shape_of(x)[1]} channels with a weight of shape {list(kernel.shape)}")
    pads = window.before
    if window.before != window.after:
        x = padded(site, x, window.before, window.after)
        pads = (0,) * len(size)
    return site.module(
        _MODULES[kernel.ndim],
        x,
        channels,
        kernel.shape[0],
        size,
        window.strides,
        pads,
        window.dilations,
        groups,
        shift is not None,
        parameters={"weight": kernel, "bias": shift},
    )


OPERATORS: dict[str, Operator] = {"Conv": _convolution}
