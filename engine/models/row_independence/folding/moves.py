"""Operators that only move entries about, on numpy arrays of any kind (numbers, or sizes)."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from smoothcert.engine.models.row_independence.values import LARGEST, Array

Attributes = dict[str, Any]
Operands = list[Array | None]
Move = Callable[[Operands, Attributes, int], list[Array]]


class TooLargeError(Exception):
    """The result has more entries than are followed."""


def _bounded(*dims: int) -> None:
    if math.prod(dims) > LARGEST:
        raise TooLargeError


def _data(operands: Operands) -> Array:
    data = operands[0]
    assert data is not None
    return data


def _numbers(operands: Operands, index: int, attributes: Attributes, name: str) -> list[int] | None:
    """What newer opsets take from an operand and older ones from an attribute."""
    operand = operands[index] if index < len(operands) else None
    if operand is not None:
        return [int(entry) for entry in operand.reshape(-1)]
    return list(attributes[name]) if name in attributes else None


def _required(operands: Operands, index: int, attributes: Attributes, name: str) -> list[int]:
    found = _numbers(operands, index, attributes, name)
    assert found is not None
    return found


def _identity(operands: Operands, attributes: Attributes, outputs: int) -> list[Array]:
    return [_data(operands)]


def _gather(operands: Operands, attributes: Attributes, outputs: int) -> list[Array]:
    data, index = _data(operands), operands[1]
    assert index is not None
    axis = attributes.get("axis", 0)
    _bounded(data.size // max(data.shape[axis], 1), index.size)
    # One entry of an array of sizes comes without its array.
    return [np.asarray(np.take(data, index.astype(np.int64), axis=axis), data.dtype)]


def _concat(operands: Operands, attributes: Attributes, outputs: int) -> list[Array]:
    parts = [part for part in operands if part is not None]
    _bounded(sum(part.size for part in parts))
    return [np.concatenate(parts, axis=attributes["axis"])]


def _slice(operands: Operands, attributes: Attributes, outputs: int) -> list[Array]:
    data = _data(operands)
    starts = _required(operands, 1, attributes, "starts")
    ends = _required(operands, 2, attributes, "ends")
    axes = _numbers(operands, 3, attributes, "axes") or list(range(len(starts)))
    steps = _numbers(operands, 4, attributes, "steps") or [1] * len(starts)
    parts = [slice(None)] * data.ndim
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        parts[axis] = slice(start, end, step)
    return [data[tuple(parts)]]


def _squeeze(operands: Operands, attributes: Attributes, outputs: int) -> list[Array]:
    axes = _numbers(operands, 1, attributes, "axes")
    return [np.squeeze(_data(operands), None if axes is None else tuple(axes))]


def _unsqueeze(operands: Operands, attributes: Attributes, outputs: int) -> list[Array]:
    axes = _required(operands, 1, attributes, "axes")
    return [np.expand_dims(_data(operands), tuple(axes))]


def _reshape(operands: Operands, attributes: Attributes, outputs: int) -> list[Array]:
    data, dims = _data(operands), _required(operands, 1, attributes, "shape")
    if not attributes.get("allowzero", 0):
        dims = [data.shape[i] if dim == 0 else dim for i, dim in enumerate(dims)]
    return [data.reshape(dims)]


def _flatten(operands: Operands, attributes: Attributes, outputs: int) -> list[Array]:
    data, axis = _data(operands), attributes.get("axis", 1)
    axis += data.ndim if axis < 0 else 0
    return [data.reshape(math.prod(data.shape[:axis]), math.prod(data.shape[axis:]))]


def _transpose(operands: Operands, attributes: Attributes, outputs: int) -> list[Array]:
    return [np.transpose(_data(operands), attributes.get("perm"))]


def _expand(operands: Operands, attributes: Attributes, outputs: int) -> list[Array]:
    data = _data(operands)
    dims = np.broadcast_shapes(data.shape, tuple(_required(operands, 1, attributes, "shape")))
    _bounded(*dims)
    return [np.broadcast_to(data, dims)]


def _tile(operands: Operands, attributes: Attributes, outputs: int) -> list[Array]:
    data, repeats = _data(operands), _required(operands, 1, attributes, "repeats")
    assert len(repeats) == data.ndim
    _bounded(data.size, *repeats)
    return [np.tile(data, repeats)]


def _split(operands: Operands, attributes: Attributes, outputs: int) -> list[Array]:
    data, axis = _data(operands), attributes.get("axis", 0)
    sizes = _numbers(operands, 1, attributes, "split")
    if sizes is None:
        each = -(-data.shape[axis] // outputs)
        sizes = [each] * (outputs - 1) + [data.shape[axis] - each * (outputs - 1)]
    assert len(sizes) == outputs
    assert sum(sizes) == data.shape[axis]
    return list(np.split(data, np.cumsum(sizes)[:-1], axis=axis))


MOVES: dict[str, Move] = {
    "Concat": _concat,
    "Expand": _expand,
    "Flatten": _flatten,
    "Gather": _gather,
    "Identity": _identity,
    "Reshape": _reshape,
    "Slice": _slice,
    "Split": _split,
    "Squeeze": _squeeze,
    "Tile": _tile,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
"""operands, attributes and number of outputs -> outputs. An operator that is given less than it
needs raises whatever it runs into, TooLargeError where the result is too large to follow."""
