"""What an ONNX name stands for here: a tensor known at import, or a node computed at run time."""

from typing import Any

import numpy as np
import torch
from torch import fx

Value = torch.Tensor | fx.Node
"""A Tensor is known at import and never changed; a Node's shape and type are in its meta."""

# By the number that the ONNX format gives each element type; others are not brought over.
_TYPES = {
    1: torch.float32,
    2: torch.uint8,
    3: torch.int8,
    5: torch.int16,
    6: torch.int32,
    7: torch.int64,
    9: torch.bool,
    10: torch.float16,
    11: torch.float64,
    16: torch.bfloat16,
}
_BFLOAT16 = 16


def tensor_like(value: Value) -> torch.Tensor:
    """The tensor itself, or one on the meta device of the node's shape and type."""
    if isinstance(value, torch.Tensor):
        return value
    like: torch.Tensor = value.meta["val"]
    return like


def shape_of(value: Value) -> tuple[int, ...]:
    """Its shape, which is always known: the batch is fixed."""
    return tuple(tensor_like(value).shape)


def dtype_of(value: Value) -> torch.dtype:
    """Its element type."""
    return tensor_like(value).dtype


def broadcast(*shapes: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of what is made element by element of these; raises ValueError where none is."""
    return np.broadcast_shapes(*shapes)


def dtype_named(number: int) -> torch.dtype:
    """The torch type of an ONNX element type; raises ValueError where there is none."""
    if number not in _TYPES:
        raise ValueError(f"element type {number} is not brought over")
    return _TYPES[number]


def tensor_of(proto: Any) -> torch.Tensor:
    """The tensor of a TensorProto whose data is in memory, in its own number type.

    Raises ValueError, or whatever onnx raises, where it cannot be read.
    """
    from onnx import numpy_helper

    dtype = dtype_named(proto.data_type)
    if proto.data_type == _BFLOAT16:  # which numpy lacks: its bits are taken
        given = proto.raw_data or np.array(proto.int32_data, "<u2").tobytes()
        bits = torch.from_numpy(np.frombuffer(given, "<i2").copy())
        return bits.view(torch.bfloat16).reshape(tuple(proto.dims))
    return torch.tensor(numpy_helper.to_array(proto), dtype=dtype)
