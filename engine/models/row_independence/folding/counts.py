"""Numbers that follow from the batch size: what graphs compute from Shape, folded for every N."""

from collections.abc import Callable
from typing import Any

import numpy as np

from smoothcert.engine.models.row_independence.call import Call
from smoothcert.engine.models.row_independence.folding.moves import MOVES, TooLargeError
from smoothcert.engine.models.row_independence.sizes import Size, product, size
from smoothcert.engine.models.row_independence.values import (
    Array,
    Constant,
    Counts,
    Positions,
    Rows,
    Value,
    constant,
    counted,
    meets,
)
from smoothcert.engine.models.row_independence.verdict import unknown

_KINDS: dict[int, type[np.signedinteger[Any]]] = {6: np.int32, 7: np.int64}  # of TensorProto


def measured(call: Call, value: Value) -> list[Value]:
    """Shape and Size of a tensor whose shape is known for every N."""
    assert isinstance(value, Constant | Counts | Rows | Positions)
    if call.operator == "Size":
        return [counted(_of_sizes(product(value.shape)))]
    part = slice(call.attributes.get("start", 0), call.attributes.get("end"))
    return [counted(_of_sizes(list(value.shape[part])))]


def fold_counts(call: Call) -> list[Value] | None:
    """The results of a node that has counts and constants for operands; None where a rule for
    tensors must say (a shape that depends on N, for data that do not)."""
    operands: list[Array | None] = []
    for value in call.values:
        if value is not None and (not isinstance(value, Constant | Counts) or value.value is None):
            return None
        operands.append(None if value is None else value.value)
    kind = next((value.kind for value in call.given if isinstance(value, Counts)), np.int64)
    if call.operator == "Cast":
        if call.attributes["to"] not in _KINDS:
            unknown("turns a number that depends on the batch size into another type")
        (value,) = (value for value in call.given if isinstance(value, Counts))
        return [counted(value.value, _KINDS[call.attributes["to"]])]
    if call.operator in MOVES:
        return _moved(call, operands, kind)
    given = [operand for operand in operands if operand is not None]
    if not meets(*given):
        return None
    if call.operator == "Range" and kind is np.int64:
        return _range(call, *map(_entries, given))
    if call.operator in ("ReduceProd", "ReduceSum"):
        return _total(call, given, kind)
    if call.operator == "Where":
        chosen = np.where(given[0].astype(bool), _entries(given[1]), _entries(given[2]))
        return [counted(chosen, kind)]
    arity = 1 if call.operator == "Neg" else 2
    if call.operator not in _ARITHMETIC or len(given) != arity:
        return None
    result = np.frompyfunc(_ARITHMETIC[call.operator], arity, 1)(*map(_entries, given))
    if call.operator in _COMPARISONS:
        return [constant(np.asarray(result, np.bool_))]
    return [counted(np.asarray(result, object), kind)]


def _moved(
    call: Call, operands: list[Array | None], kind: type[np.signedinteger[Any]]
) -> list[Value] | None:
    data = range(len(operands)) if call.operator == "Concat" else (0,)
    if any(isinstance(v, Counts) for i, v in enumerate(call.values) if i not in data):
        return None
    for index in data:
        found = operands[index]
        operands[index] = None if found is None else _entries(found)
    try:
        results = MOVES[call.operator](operands, call.attributes, call.outputs)
    except TooLargeError:
        return None
    return [counted(result, kind) for result in results]


def _entries(value: Array) -> Array:
    """An array of integers as one of Size."""
    if value.dtype != object and not np.issubdtype(value.dtype, np.integer):
        unknown("a number that depends on the batch size meets one that is no integer")
    return _of_sizes([size(v) for v in value.reshape(-1).tolist()]).reshape(value.shape)


def _of_sizes(content: list[Size] | Size) -> Array:
    """An array of Size; one entry without axes where it is a single one."""
    if isinstance(content, Size):
        return _of_sizes([content]).reshape(())
    array = np.empty(len(content), object)
    array[:] = content
    return array


def _total(call: Call, given: list[Array], kind: type[np.signedinteger[Any]]) -> list[Value] | None:
    if len(given[0].shape) != 1:
        return None
    entries = list(_entries(given[0]))
    total = product(entries) if call.operator == "ReduceProd" else sum(entries, size(0))
    keep = call.attributes.get("keepdims", 1)
    return [counted(_of_sizes([total] if keep else total), kind)]


def _range(call: Call, start: Array, limit: Array, step: Array) -> list[Value]:
    if start.item() != 0 or limit.item() != call.batch or step.item() != 1:
        unknown("numbers the rows of the batch")
    return [Positions((call.batch,), 0, 1, np.zeros(1, np.int64))]


def _sign(one: Size, two: Size) -> int:
    found = (one - two).sign()
    return found if found is not None else unknown("compares a number with the batch size")


def _divide(one: Size, two: Size) -> Size:
    found = one.over(two)
    return found if found is not None else unknown("divides the batch size with a remainder")


_COMPARISONS: dict[str, Callable[[Size, Size], Any]] = {
    "Equal": lambda one, two: _sign(one, two) == 0,
    "Greater": lambda one, two: _sign(one, two) > 0,
    "GreaterOrEqual": lambda one, two: _sign(one, two) >= 0,
    "Less": lambda one, two: _sign(one, two) < 0,
    "LessOrEqual": lambda one, two: _sign(one, two) <= 0,
}
_ARITHMETIC: dict[str, Callable[..., Any]] = {
    "Add": Size.__add__,
    "Div": _divide,
    "Max": lambda one, two: one if _sign(one, two) >= 0 else two,
    "Min": lambda one, two: one if _sign(one, two) <= 0 else two,
    "Mul": Size.__mul__,
    "Neg": Size.__neg__,
    "Sub": Size.__sub__,
    **_COMPARISONS,
}
