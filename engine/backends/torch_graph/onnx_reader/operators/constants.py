"""Tensors that no image has a part in: constants, shapes, ranges."""

import math

import torch

from smoothcert.engine.backends.torch_graph.onnx_reader.site import Operator, Site
from smoothcert.engine.backends.torch_graph.onnx_reader.values import Value, shape_of, tensor_of


def _constant(site: Site) -> Value:
    """A tensor, a number or a list of numbers; each is an attribute of its own."""
    whole = site.attribute("value")
    if whole is not None:
        return tensor_of(whole)
    kinds: dict[str, torch.dtype] = {
        "value_float": torch.float32,
        "value_floats": torch.float32,
        "value_int": torch.int64,
        "value_ints": torch.int64,
    }
    given = [(site.attribute(name), dtype) for name, dtype in kinds.items()]
    numbers = [pair for pair in given if pair[0] is not None]
    if len(numbers) != 1:
        site.refuse("a constant that is neither a dense tensor nor numbers")
    return torch.tensor(numbers[0][0], dtype=numbers[0][1])


def _constant_of_shape(site: Site, shape: Value) -> Value:
    """float32 zeros, unless a one-element tensor tells number and type."""
    value = site.attribute("value")
    fill = torch.zeros(1) if value is None else tensor_of(value)
    return torch.full(tuple(site.integers(shape, "the shape")), fill.item(), dtype=fill.dtype)


def _shape(site: Site, x: Value) -> Value:
    """Known, as the batch is fixed."""
    start, end = site.attribute("start", 0), site.attribute("end")
    return torch.tensor(shape_of(x)[start:end], dtype=torch.int64)


def _size(site: Site, x: Value) -> Value:
    return torch.tensor(math.prod(shape_of(x)), dtype=torch.int64)


def _range(site: Site, start: Value, limit: Value, delta: Value) -> Value:
    given = [site.known(value, "a limit") for value in (start, limit, delta)]
    return torch.arange(*(number.item() for number in given), dtype=given[0].dtype)


OPERATORS: dict[str, Operator] = {
    "Constant": _constant,
    "ConstantOfShape": _constant_of_shape,
    "Range": _range,
    "Shape": _shape,
    "Size": _size,
}
