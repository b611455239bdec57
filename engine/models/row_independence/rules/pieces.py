"""Operators that cut tensors apart and put them together: along the batch only whole batches."""

from collections.abc import Sequence

from smoothcert.engine.models.row_independence.call import (
    Call,
    as_rows,
    axis_in,
    shape_at,
    uniform,
)
from smoothcert.engine.models.row_independence.sizes import Size, shape_of, size
from smoothcert.engine.models.row_independence.values import Constant, Rows, Value
from smoothcert.engine.models.row_independence.verdict import refuse, unknown

_NO_END = 2**31 - 1  # exporters write it, or more, for "to the end"


def concatenated(values: Sequence[Value], axis: int, batch: Size) -> Rows:
    """Concat. Along the batch, [x; flipped x] is N rows and N rows again."""
    moving = [as_rows(value) for value in values if not isinstance(value, Constant)]
    first = min(moving, key=lambda rows: rows.alike)
    rank = len(first.shape)
    axis = axis_in(axis, rank)
    for value in values:
        shape = shape_at(value)
        if shape[:axis] + shape[axis + 1 :] != (first.shape[:axis] + first.shape[axis + 1 :]):
            unknown("its operands have other shapes")
    if axis == first.axis:
        return _stacked(values, first, batch)
    for value in values:
        if isinstance(value, Constant):
            uniform(value, first.axis, first.pre, first.post, batch)
        elif isinstance(value, Rows) and not _beside(value, first):
            refuse("puts different rows of the batch side by side")
    return first.resized(axis, sum((shape_at(value)[axis] for value in values), size(0)))


def _beside(rows: Rows, first: Rows) -> bool:
    return rows.layout == first.layout or (rows.alike and rows.axis == first.axis)


def _stacked(values: Sequence[Value], first: Rows, batch: Size) -> Rows:
    """Whole batches one after the other."""
    pre = 0
    for value in values:
        rows = as_rows(value, "what it adds to the batch")
        if (rows.axis, rows.post) != (first.axis, first.post):
            refuse("puts different rows of the batch side by side")
        pre += rows.pre
    dim = batch * (pre * first.post)
    shape = [dim if axis == first.axis else d for axis, d in enumerate(first.shape)]
    return Rows(tuple(shape), first.axis, pre, first.post)


def _concat(call: Call) -> list[Value]:
    return [concatenated(call.given, int(call.attributes["axis"]), call.batch)]


def _part(rows: Rows, axis: int, start: Size, end: Size, batch: Size) -> Rows:
    """Entries start .. end of an axis."""
    if axis != rows.axis:
        return rows.resized(axis, end - start)
    one = batch * rows.post
    first, last = start.over(one), end.over(one)
    if first is None or last is None:
        refuse("takes rows of the batch by their place")
    pre = int(last) - int(first)
    if not 0 <= int(first) < int(last) <= rows.pre:
        refuse("takes rows of the batch by their place")
    shape = [one * pre if i == axis else dim for i, dim in enumerate(rows.shape)]
    return Rows(tuple(shape), axis, pre, rows.post)


def _split(call: Call) -> list[Value]:
    rows = call.rows()
    axis = call.axis("axis", 0, len(rows.shape))
    sizes = _split_sizes(call, rows.shape[axis])
    if len(sizes) != call.outputs or sum(sizes, size(0)) != rows.shape[axis]:
        unknown("its sizes do not add up")
    parts, start = [], size(0)
    for part in sizes:
        parts.append(_part(rows, axis, start, start + part, call.batch))
        start = start + part
    return list(parts)


def _split_sizes(call: Call, dim: Size) -> list[Size]:
    if call.value(1) is not None:
        return call.numbers(1, "its sizes")
    if "split" in call.attributes:
        return list(shape_of(call.attributes["split"]))
    count = call.outputs
    if call.attributes.get("num_outputs", count) != count:
        unknown("names another number of parts than it has")
    each = dim.over(count)
    if each is not None:
        return [each] * count
    if dim.open:
        refuse("splits the batch")
    whole = -(-int(dim) // count)
    return [size(whole)] * (count - 1) + [dim - whole * (count - 1)]


def _slice(call: Call) -> list[Value]:
    rows = call.rows()
    starts, ends = _bounds(call, 1, "starts"), _bounds(call, 2, "ends")
    if starts is None or ends is None:
        unknown("has no bounds")
    axes = _bounds(call, 3, "axes")
    steps = _bounds(call, 4, "steps") or [size(1)] * len(starts)
    places = range(len(starts)) if axes is None else map(int, axes)
    seen = [axis_in(place, len(rows.shape)) for place in places]
    if len(set(seen)) != len(seen):
        unknown("cuts an axis twice")
    for axis, start, end, step in zip(seen, starts, ends, steps, strict=True):
        if axis == rows.axis:
            rows = _batches(rows, start, end, int(step), call.batch)
        else:
            kept = range(int(rows.shape[axis]))[int(start) : int(end) : int(step)]
            rows = rows.resized(axis, len(kept))
    return [rows]


def _bounds(call: Call, index: int, name: str) -> list[Size] | None:
    if call.value(index) is not None:
        return call.numbers(index, f"its {name}")
    return list(shape_of(call.attributes[name])) if name in call.attributes else None


def _batches(rows: Rows, start: Size, end: Size, step: int, batch: Size) -> Rows:
    """A slice along the batch."""
    dim = rows.shape[rows.axis]
    if step != 1:
        refuse("takes rows of the batch by their place")
    if start.sign() == -1:
        start = start + dim
    if (not end.open and int(end) >= _NO_END) or (end - dim).sign() in (0, 1):
        end = dim
    if end.sign() == -1:
        end = end + dim
    return _part(rows, rows.axis, start, end, batch)


def _pad(call: Call) -> list[Value]:
    rows = call.rows()
    call.constants(2, 3, "its filling")
    if call.value(1) is not None:
        widths = call.numbers(1, "its widths")
    else:
        widths = list(shape_of(call.attributes["pads"]))
    rank = len(rows.shape)
    named = call.numbers(3, "its choice of axes") if call.value(3) is not None else range(rank)
    axes = [axis_in(int(axis), rank) for axis in named]
    if len(widths) != 2 * len(axes) or len(set(axes)) != len(axes):
        unknown("its widths do not fit its axes")
    for axis, low, high in zip(axes, widths, widths[len(axes) :], strict=False):
        if axis == rows.axis:
            if low != 0 or high != 0:
                refuse("pads or crops the batch")
        else:
            rows = rows.resized(axis, rows.shape[axis] + int(low) + int(high))
    return [rows]


RULES = {"Concat": _concat, "Pad": _pad, "Slice": _slice, "Split": _split}
