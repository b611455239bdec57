"""Operators that lay the same entries out in another way: the batch moves, or is folded with what
lies around it."""

from smoothcert.engine.models.row_independence.call import Call, as_rows, axis_in, shape_at, spread
from smoothcert.engine.models.row_independence.rules.normalisation import axes_of
from smoothcert.engine.models.row_independence.rules.products import required
from smoothcert.engine.models.row_independence.sizes import Size, product, shape_of, size
from smoothcert.engine.models.row_independence.values import Constant, Rows, Value
from smoothcert.engine.models.row_independence.verdict import unknown


def _reshape(call: Call) -> list[Value]:
    rows = call.rows()
    if call.value(1) is not None:
        wanted = call.numbers(1, "its shape")
    else:
        wanted = list(shape_of(call.attributes["shape"]))
    if not call.attributes.get("allowzero", 0):
        wanted = [rows.shape[i] if dim == 0 else dim for i, dim in enumerate(wanted)]
    total = product(rows.shape)
    if size(-1) in wanted:
        rest = total.over(product(dim for dim in wanted if dim != -1))
        if rest is None:
            unknown(f"reshapes {list(rows.shape)} to {wanted}: not whole for every batch size")
        wanted = [rest if dim == -1 else dim for dim in wanted]
    if product(wanted) != total:
        unknown(f"reshapes {list(rows.shape)} to {wanted}: fits some batch sizes alone")
    return [_regrouped(rows, wanted)]


def _flatten(call: Call) -> list[Value]:
    rows, axis = call.rows(), int(call.attributes.get("axis", 1))
    axis += len(rows.shape) if axis < 0 else 0
    shape = [product(rows.shape[:axis]), product(rows.shape[axis:])]
    return [_regrouped(rows, shape)]


def _regrouped(rows: Rows, shape: list[Size]) -> Rows:
    """Row-major: `before` entries, then N, then `after`. One axis must still hold the whole N: the
    shape has as many entries as the rows, so that what is left of it for this axis is pre*N*post.
    """
    before = product(rows.shape[: rows.axis]) * rows.pre
    after = product(rows.shape[rows.axis + 1 :]) * rows.post
    for axis in range(len(shape)):
        pre, post = before.over(product(shape[:axis])), after.over(product(shape[axis + 1 :]))
        if pre is not None and post is not None:
            return Rows(tuple(shape), axis, int(pre), int(post))
    told = f"reshapes {list(rows.shape)} to {shape}"
    return unknown(f"{told}: entries of different rows meet in one place")


def _transpose(call: Call) -> list[Value]:
    rows = call.rows()
    places = list(range(len(rows.shape)))
    order = list(call.attributes.get("perm", places[::-1]))
    if sorted(order) != places:
        unknown(f"its order of axes is {order}")
    return [rows.to([rows.shape[place] for place in order], order.index(rows.axis))]


def _squeeze(call: Call) -> list[Value]:
    rows, axes = call.rows(), axes_of(call)
    if axes is None:
        unknown("squeezes whatever has one entry, in a batch of one row the batch too")
    gone = {axis_in(axis, len(rows.shape)) for axis in axes}
    if any(rows.shape[axis] != 1 for axis in gone):
        unknown("squeezes an axis of several entries")
    shape = [dim for axis, dim in enumerate(rows.shape) if axis not in gone]
    return [rows.to(shape, rows.axis - sum(axis < rows.axis for axis in gone))]


def _unsqueeze(call: Call) -> list[Value]:
    rows, axes = call.rows(), axes_of(call)
    if axes is None:
        unknown("names no axes")
    rank = len(rows.shape) + len(axes)
    added = {axis_in(axis, rank) for axis in axes}
    kept = [axis for axis in range(rank) if axis not in added]
    shape = [size(1)] * rank
    for axis, dim in zip(kept, rows.shape, strict=True):
        shape[axis] = dim
    return [rows.to(shape, kept[rows.axis])]


def _expand(call: Call) -> list[Value]:
    value, wanted = required(call, 0), call.numbers(1, "its shape")
    rank = max(len(shape_at(value)), len(wanted))
    own = [*[size(1)] * (rank - len(shape_at(value))), *shape_at(value)]
    wanted = [*[size(1)] * (rank - len(wanted)), *wanted]
    if any(one not in (two, 1) and two != 1 for one, two in zip(own, wanted, strict=True)):
        unknown(f"expands {own} to {wanted}")
    shape = [two if one == 1 else one for one, two in zip(own, wanted, strict=True)]
    if isinstance(value, Constant):
        return spread(shape, [axis for axis in range(rank) if own[axis] == 1], call.batch)
    rows = as_rows(value)
    axis = rows.axis + rank - len(rows.shape)
    _batch_once(shape, axis)
    return [rows.to(shape, axis)]


def _tile(call: Call) -> list[Value]:
    value, times = required(call, 0), call.numbers(1, "its repeats")
    own = shape_at(value)
    shape = [dim * repeats for dim, repeats in zip(own, times, strict=True)]
    if isinstance(value, Constant):
        return spread(shape, [axis for axis, dim in enumerate(own) if dim == 1], call.batch)
    rows = as_rows(value)
    repeats = int(times[rows.axis])
    _batch_once(shape, rows.axis)
    return [Rows(tuple(shape), rows.axis, rows.pre * repeats, rows.post)]


def _batch_once(shape: list[Size], axis: int) -> None:
    if any(dim.open for other, dim in enumerate(shape) if other != axis):
        unknown("makes a tensor that has the batch twice")


def _constant_of_shape(call: Call) -> list[Value]:
    shape = call.numbers(0, "its shape")
    return spread(shape, list(range(len(shape))), call.batch)


RULES = {
    "ConstantOfShape": _constant_of_shape,
    "Expand": _expand,
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Squeeze": _squeeze,
    "Tile": _tile,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
