"""Arithmetic whose results are the same in every implementation, on numpy arrays.

Of floating point only float32 and float64, and only what IEEE 754 rounds in one way: nothing that
follows from a constant may hang on a runtime's last digit.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from smoothcert.engine.models.row_independence.values import Array, meets


def _divide(one: Array, two: Array) -> Array | None:
    if np.issubdtype(one.dtype, np.floating):
        return np.asarray(one / two)
    if not two.all() or one.size == 0:
        return None
    if min(one.min(), two.min()) < 0:  # ONNX rounds to zero
        return np.asarray(np.sign(one) * np.sign(two) * (abs(one) // abs(two)))
    return np.asarray(one // two)


def _modulo(one: Array, two: Array) -> Array | None:
    """Of numbers above 0, for which all definitions agree."""
    if np.issubdtype(one.dtype, np.floating) or min(one.min(), two.min()) < 0 or not two.all():
        return None
    return np.asarray(one % two)


_UNARY: dict[str, Callable[[Array], Array]] = {
    "Abs": np.abs,
    "Ceil": np.ceil,
    "Floor": np.floor,
    "Neg": np.negative,
    "Not": np.logical_not,
    "Sqrt": np.sqrt,
}
_BINARY: dict[str, Callable[[Array, Array], Array | None]] = {
    "Add": np.add,
    "And": np.logical_and,
    "Div": _divide,
    "Equal": np.equal,
    "Greater": np.greater,
    "GreaterOrEqual": np.greater_equal,
    "Less": np.less,
    "LessOrEqual": np.less_equal,
    "Max": np.maximum,
    "Min": np.minimum,
    "Mod": _modulo,
    "Mul": np.multiply,
    "Or": np.logical_or,
    "Sub": np.subtract,
    "Xor": np.logical_xor,
}
_BROADCAST = {*_UNARY, *_BINARY, "Where"}
_EXACT = {np.dtype(t) for t in (bool, np.int32, np.int64, np.float32, np.float64)}


def exact(operator: str, operands: list[Array]) -> Array | None:
    """The result, or None where it is not known to be the same everywhere, or is too large."""
    if operator not in _BROADCAST or any(operand.dtype not in _EXACT for operand in operands):
        return None
    if not meets(*operands):
        return None
    with np.errstate(all="ignore"):
        if operator in _UNARY and len(operands) == 1:
            return np.asarray(_UNARY[operator](operands[0]))
        if operator in _BINARY and len(operands) == 2 and operands[0].dtype == operands[1].dtype:
            result = _BINARY[operator](*operands)
            return None if result is None else np.asarray(result)
    if operator == "Where" and len(operands) == 3 and operands[1].dtype == operands[2].dtype:
        return np.where(*operands)
    return None


def cast(value: Array, dtype: np.dtype[Any]) -> Array | None:
    """`value` as another type; None where the standard leaves the result open."""
    if value.dtype not in _EXACT or dtype not in _EXACT:
        return None
    if np.issubdtype(value.dtype, np.floating) and np.issubdtype(dtype, np.integer):
        limits = np.iinfo(dtype)
        if not (np.isfinite(value) & (value > limits.min) & (value < limits.max)).all():
            return None
    with np.errstate(all="ignore"):
        return value.astype(dtype)
