"""The same elements in another shape or order."""

import math

import torch

from smoothcert.engine.backends.torch_graph.onnx_reader.site import Operator, Site
from smoothcert.engine.backends.torch_graph.onnx_reader.values import Value, broadcast, shape_of


def _reshape(site: Site, x: Value, shape: Value) -> Value:
    """A side of 0 is x's own, unless allowzero; one of -1 is what is left."""
    old, new = shape_of(x), site.integers(shape, "the shape")
    if not site.attribute("allowzero", 0):
        new = [old[axis] if side == 0 else side for axis, side in enumerate(new)]
    return site.reshape(x, _without_blank(site, old, new))


def _without_blank(site: Site, old: tuple[int, ...], new: list[int]) -> list[int]:
    """The new shape, its -1 resolved; refused where the elements do not fit."""
    if new.count(-1) == 1:
        rest = -math.prod(new)
        blank = math.prod(old) // rest if rest > 0 else 0
        new = [blank if side == -1 else side for side in new]
    if math.prod(old) != math.prod(new) or min(new, default=0) < 0:
        site.refuse(f"{list(old)} into {new}")
    return new


def _flatten(site: Site, x: Value) -> Value:
    """All axes before one, and all from it on."""
    shape = shape_of(x)
    axis = site.attribute("axis", 1)
    axis = axis + len(shape) if axis < 0 else axis
    if not 0 <= axis <= len(shape):
        site.refuse(f"axis {axis} of {len(shape)} dimensions")
    return site.reshape(x, (math.prod(shape[:axis]), math.prod(shape[axis:])))


def _squeeze(site: Site, x: Value, axes: Value | None = None) -> Value:
    """Axes are an input since opset 13; without any, all of length 1."""
    shape = shape_of(x)
    given = site.input_or_attribute(axes, "axes")
    if given is None:
        return site.reshape(x, [side for side in shape if side != 1])
    if not given:
        site.refuse("an empty list of axes")
    gone = site.axes(given, len(shape))
    if any(shape[axis] != 1 for axis in gone):
        site.refuse(f"axes {gone} of {list(shape)}")
    return site.reshape(x, [side for axis, side in enumerate(shape) if axis not in gone])


def _unsqueeze(site: Site, x: Value, axes: Value | None = None) -> Value:
    shape = list(shape_of(x))
    given = site.input_or_attribute(axes, "axes") or []
    for axis in sorted(site.axes(given, len(shape) + len(given))):
        shape.insert(axis, 1)
    return site.reshape(x, shape)


def _transpose(site: Site, x: Value) -> Value:
    """Reversed axes, unless told which."""
    rank = len(shape_of(x))
    return site.permute(x, site.attribute("perm") or tuple(reversed(range(rank))))


def _expand(site: Site, x: Value, shape: Value) -> Value:
    """Broadcast in both directions: x may have the longer sides."""
    wanted = broadcast(shape_of(x), tuple(site.integers(shape, "the shape")))
    if wanted == shape_of(x):
        return x
    return site.call(torch.Tensor.expand, x, wanted)


def _tile(site: Site, x: Value, repeats: Value) -> Value:
    counts = site.integers(repeats, "the repeats")
    if len(counts) != len(shape_of(x)):
        site.refuse(f"{len(counts)} repeats of {len(shape_of(x))} dimensions")
    return site.call(torch.Tensor.repeat, x, tuple(counts))


def _depth_to_space(site: Site, x: Value) -> Value:
    """Channels into blocks of pixels: they count blocks first (DCR) or channels first (CRD)."""
    block, mode = site.attribute("blocksize"), site.attribute("mode", "DCR")
    batch, channels, height, width = shape_of(x)
    each = channels // (block * block)
    if mode == "DCR":
        parts, order = (batch, block, block, each, height, width), (0, 3, 4, 1, 5, 2)
    elif mode == "CRD":
        parts, order = (batch, each, block, block, height, width), (0, 1, 4, 2, 5, 3)
    else:
        site.refuse(f"mode is {mode}")
    moved = site.permute(site.reshape(x, parts), order)
    return site.reshape(moved, (batch, each, height * block, width * block))


def _space_to_depth(site: Site, x: Value) -> Value:
    """Blocks of pixels into channels, which count blocks first."""
    block = site.attribute("blocksize")
    site.expect("mode", "DCR")
    batch, channels, height, width = shape_of(x)
    parts = (batch, channels, height // block, block, width // block, block)
    moved = site.permute(site.reshape(x, parts), (0, 3, 5, 1, 2, 4))
    return site.reshape(moved, (batch, channels * block**2, height // block, width // block))


def _identity(site: Site, x: Value) -> Value:
    """The very same value, so that a shared tensor stays shared."""
    return x


OPERATORS: dict[str, Operator] = {
    "DepthToSpace": _depth_to_space,
    "Expand": _expand,
    "Flatten": _flatten,
    "Identity": _identity,
    "Reshape": _reshape,
    "SpaceToDepth": _space_to_depth,
    "Squeeze": _squeeze,
    "Tile": _tile,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
