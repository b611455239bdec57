"""Operators that read or write entries by index: never by the row's place in the batch."""

import numpy as np

from smoothcert.engine.models.row_independence.call import Call, apart, as_rows, shape_at, uniform
from smoothcert.engine.models.row_independence.rules.products import required
from smoothcert.engine.models.row_independence.sizes import Size, size
from smoothcert.engine.models.row_independence.values import Constant, Rows, Value
from smoothcert.engine.models.row_independence.verdict import refuse, unknown

_OTHER_ROWS = "takes entries of other rows of the batch"


def _gather(call: Call) -> list[Value]:
    data, index = required(call, 0), required(call, 1)
    own, at = shape_at(data), shape_at(index)
    axis = call.axis("axis", 0, len(own))
    shape = [*own[:axis], *at, *own[axis + 1 :]]
    if isinstance(data, Constant):  # a table that each row looks up
        rows = as_rows(index, "its index")
        return [rows.to(shape, axis + rows.axis)]
    rows = as_rows(data)
    if not isinstance(index, Constant):
        refuse(_OTHER_ROWS)
    if axis == rows.axis:
        return [_own_part(rows, index, shape, call.batch)]
    moved = len(at) - 1 if axis < rows.axis else 0
    return [rows.to(shape, rows.axis + moved)]


def _own_part(rows: Rows, index: Constant, shape: list[Size], batch: Size) -> Rows:
    """Where the batch is fixed, constant indices may take each row's own part of flat rows."""
    numbers = index.value
    for place, dim in enumerate(index.shape):
        if numbers is None or rows.pre != 1 or batch.open or dim != batch:
            continue
        first = np.arange(int(batch)) * rows.post
        offsets = numbers - first.reshape([-1 if i == place else 1 for i in range(numbers.ndim)])
        alike = (offsets == np.take(offsets, [0], axis=place)).all()
        if alike and offsets.min() >= 0 and offsets.max() < rows.post:
            return Rows(tuple(shape), rows.axis + place)
    return refuse("takes rows of the batch by their place")


def _gather_elements(call: Call) -> list[Value]:
    data, index = call.rows(), call.rows(1, "its index")
    apart(data, call.attributes.get("axis", 0), "takes entries")
    if data.layout != index.layout:
        refuse(_OTHER_ROWS)
    return [index.to(index.shape)]


def _gather_nd(call: Call) -> list[Value]:
    data, index = call.rows(), call.rows(1, "its index")
    shared = int(call.attributes.get("batch_dims", 0))
    if data.axis >= shared or data.layout != index.layout:
        unknown("its indices reach across the batch")
    depth = shared + int(index.shape[-1])
    return [index.to([*index.shape[:-1], *data.shape[depth:]])]


def _scatter_elements(call: Call) -> list[Value]:
    data, index, updates = call.rows(), call.rows(1, "its index"), call.rows(2, "what it writes")
    apart(data, call.attributes.get("axis", 0), "writes entries")
    if len({data.layout, index.layout, updates.layout}) > 1:
        refuse("writes entries of other rows of the batch")
    return [data.to(data.shape)]


def _scatter_nd(call: Call) -> list[Value]:
    data, updates = call.rows(), required(call, 2)
    call.constants(1, 2, "its index")
    at = shape_at(required(call, 1))
    depth, lead = int(at[-1]), len(at) - 1
    if data.axis < depth:
        refuse("writes rows of the batch by their place")
    axis = data.axis - depth + lead  # where updates have the batch
    if isinstance(updates, Constant):
        uniform(updates, axis, data.pre, data.post, call.batch)
    elif as_rows(updates, "what it writes").layout != (axis, data.pre, data.post):
        refuse("writes entries of other rows of the batch")
    return [data.to(data.shape)]


def _one_hot(call: Call) -> list[Value]:
    rows = call.rows()
    (depth,) = call.numbers(1, "its depth")
    call.constants(2, what="a value")
    axis = call.axis("axis", -1, len(rows.shape) + 1)
    shape = [*rows.shape[:axis], size(int(depth)), *rows.shape[axis:]]
    return [rows.to(shape, rows.axis + (axis <= rows.axis))]


def _triangle(call: Call) -> list[Value]:
    rows = call.rows()
    call.constants(1, what="its diagonal")
    if rows.axis >= len(rows.shape) - 2:
        refuse("treats the rows by their place in the batch")
    return [rows.to(rows.shape)]


RULES = {
    "Gather": _gather,
    "GatherElements": _gather_elements,
    "GatherND": _gather_nd,
    "OneHot": _one_hot,
    "ScatterElements": _scatter_elements,
    "ScatterND": _scatter_nd,
    "Trilu": _triangle,
}
