"""The rows' own numbers: Range(0, N), and how torch.export reaches into flattened rows with it."""

from dataclasses import replace

import numpy as np

from smoothcert.engine.models.row_independence.call import Call, axis_in
from smoothcert.engine.models.row_independence.sizes import size
from smoothcert.engine.models.row_independence.values import Constant, Positions, Rows, Value, meets
from smoothcert.engine.models.row_independence.verdict import unknown

_INT64 = 7  # TensorProto.INT64


def fold_positions(call: Call) -> list[Value]:
    """The result of a node that one of its operands numbers the rows for; anything but own-row
    access is unproven."""
    first, second = call.value(0), call.value(1)
    found: Value | None = None
    if isinstance(first, Positions) and (
        call.operator == "Identity" or (call.operator == "Cast" and call.attributes["to"] == _INT64)
    ):
        found = first
    elif call.operator == "Unsqueeze" and isinstance(first, Positions):
        found = _unsqueezed(call, first)
    elif call.operator in ("Add", "Mul") and len(call.values) == 2:
        pair = (first, second) if isinstance(first, Positions) else (second, first)
        found = _shifted(call.operator, *pair)
    elif call.operator == "Gather" and isinstance(first, Rows) and isinstance(second, Positions):
        found = _own(first, second, axis_in(call.attributes.get("axis", 0), len(first.shape)))
    return [found if found is not None else unknown("numbers the rows of the batch")]


def _unsqueezed(call: Call, value: Positions) -> Positions:
    axes = call.attributes.get("axes")
    added = (
        [int(a) for a in axes] if axes is not None else [int(a) for a in call.numbers(1, "axes")]
    )
    rank = len(value.shape) + len(added)
    places = {axis_in(axis, rank) for axis in added}
    kept = [axis for axis in range(rank) if axis not in places]
    offsets = np.expand_dims(value.offsets, tuple(places))
    shape = [size(1)] * rank
    for axis, dim in zip(kept, value.shape, strict=True):
        shape[axis] = dim
    return Positions(tuple(shape), kept[value.axis], value.step, offsets)


def _shifted(operator: str, value: Value | None, by: Value | None) -> Positions | None:
    """Positions plus a constant, or times one number."""
    if not isinstance(value, Positions) or not isinstance(by, Constant) or by.value is None:
        return None
    if by.value.dtype != np.int64 or (operator == "Mul" and by.value.size != 1):
        return None
    if not meets(value.offsets, by.value):
        return None
    offsets = value.offsets + by.value if operator == "Add" else value.offsets * by.value
    axis = value.axis + offsets.ndim - len(value.shape)
    if offsets.shape[axis] != 1:
        return None  # another constant for each row
    shape = [value.shape[value.axis] if i == axis else size(d) for i, d in enumerate(offsets.shape)]
    step = value.step * int(by.value.item()) if operator == "Mul" else value.step
    return replace(value, shape=tuple(shape), axis=axis, step=step, offsets=offsets)


def _own(rows: Rows, at: Positions, axis: int) -> Rows | None:
    """Rows laid one after the other, each read within its own part alone."""
    within = at.step == rows.post and at.offsets.min() >= 0 and at.offsets.max() < rows.post
    if axis != rows.axis or rows.pre != 1 or not within:
        return None
    return Rows((*rows.shape[:axis], *at.shape, *rows.shape[axis + 1 :]), axis + at.axis)
