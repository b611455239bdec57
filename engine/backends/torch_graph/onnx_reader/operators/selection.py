"""Parts of tensors, and tensors of parts."""

import math
import operator

import torch

from smoothcert.engine.backends.torch_graph.onnx_reader.site import Operator, Site
from smoothcert.engine.backends.torch_graph.onnx_reader.values import Value, dtype_of, shape_of


def _concatenate(site: Site, *parts: Value) -> Value:
    axis = site.axis(0, len(shape_of(parts[0])))
    if len({dtype_of(part) for part in parts}) > 1:
        site.refuse("parts of several types")
    return site.call(torch.cat, list(parts), axis)


def _split(site: Site, x: Value, split: Value | None = None) -> list[Value]:
    """Sizes are an input since opset 13; without, equal parts, the last of which may be smaller."""
    axis = site.axis(0, len(shape_of(x)))
    side, count = shape_of(x)[axis], len(site.outputs)
    if site.attribute("num_outputs", count) != count:
        site.refuse(f"num_outputs is not {count}, the number of outputs")
    sizes = site.input_or_attribute(split, "split")
    if sizes is None:
        each = math.ceil(side / count)
        sizes = [min(each, side - each * part) for part in range(count)]
    if len(sizes) != count or sum(sizes) != side or min(sizes) < 0:
        site.refuse(f"{side} elements into {sizes}")
    ends = torch.tensor(sizes).cumsum(0).tolist()
    return [
        _part(site, x, axis, slice(end - size, end, 1))
        for size, end in zip(sizes, ends, strict=True)
    ]


def _part(site: Site, x: Value, axis: int, which: slice) -> Value:
    """A slice along one axis: x itself where that is everything."""
    if which == slice(0, shape_of(x)[axis], 1):
        return x
    where = (slice(None),) * axis + (which,)
    return site.call(operator.getitem, x, where)


def _slice(
    site: Site,
    x: Value,
    starts: Value | None = None,
    ends: Value | None = None,
    axes: Value | None = None,
    steps: Value | None = None,
) -> Value:
    """As Python slices; inputs since opset 10, attributes before."""
    first = site.input_or_attribute(starts, "starts") or []
    last = site.input_or_attribute(ends, "ends") or []
    along = site.input_or_attribute(axes, "axes") or list(range(len(first)))
    step = [1] * len(first) if steps is None else site.integers(steps, "steps")
    for axis, start, end, stride in zip(
        site.axes(along, len(shape_of(x))), first, last, step, strict=True
    ):
        side = shape_of(x)[axis]
        picked = range(*slice(start, end, stride).indices(side))
        if stride > 0:
            stop = max(picked.start, picked.stop)
            x = _part(site, x, axis, slice(picked.start, stop, stride))
        else:
            x = site.call(torch.index_select, x, axis, torch.tensor(picked))
    return x


def _gather(site: Site, x: Value, indices: Value) -> Value:
    """Entries along an axis, at known places; negative ones count from the end."""
    shape = shape_of(x)
    axis = site.axis(0, len(shape))
    places = site.known(indices, "the indices").long()
    if places.numel() and not -shape[axis] <= int(places.min()) <= int(places.max()) < shape[axis]:
        site.refuse(f"indices {int(places.min())} .. {int(places.max())} of {shape[axis]}")
    places = torch.where(places < 0, places + shape[axis], places)
    if places.ndim == 0:
        return site.call(torch.select, x, axis, int(places))
    if places.ndim == 1 and torch.equal(places, torch.arange(shape[axis])):
        return x
    picked = site.call(torch.index_select, x, axis, places.reshape(-1))
    return site.reshape(picked, (*shape[:axis], *places.shape, *shape[axis + 1 :]))


def _scatter_nd(site: Site, x: Value, indices: Value, updates: Value) -> Value:
    """x with slices of it replaced, at known places."""
    site.expect("reduction", "none")
    return site.call(torch.index_put, x, _places(site, x, indices), updates)


def _gather_nd(site: Site, x: Value, indices: Value) -> Value:
    """Slices of x, at known places."""
    site.expect("batch_dims", 0)
    places = _places(site, x, indices)
    # A tensor without axes would be read on the host, where a graph of the device cannot wait.
    return site.call(
        operator.getitem, x, tuple(int(where) if where.ndim == 0 else where for where in places)
    )


def _places(site: Site, x: Value, indices: Value) -> tuple[torch.Tensor, ...]:
    """Known indices [..., k] into the first k axes of x, an array for each of them."""
    places = tuple(site.known(indices, "the indices").long().movedim(-1, 0))
    for axis, (where, side) in enumerate(zip(places, shape_of(x), strict=False)):
        if bool(((where < -side) | (where >= side)).any()):
            site.refuse(f"indices outside axis {axis} of length {side}")
    return places


def _triangle(site: Site, x: Value, diagonal: Value | None = None) -> Value:
    """The upper triangle, or the lower one; zeros elsewhere."""
    offset = 0 if diagonal is None else int(site.known(diagonal, "the diagonal").item())
    upper = site.attribute("upper", 1)
    return site.call(torch.triu if upper else torch.tril, x, offset)


OPERATORS: dict[str, Operator] = {
    "Concat": _concatenate,
    "Gather": _gather,
    "GatherND": _gather_nd,
    "ScatterND": _scatter_nd,
    "Slice": _slice,
    "Split": _split,
    "Trilu": _triangle,
}
