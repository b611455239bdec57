"""Floating-point (or integer) operations of an ONNX network, counted from its graph."""

from math import prod
from pathlib import Path
from typing import Any

from smoothcert.engine.base.errors import require

# Where the second operand stands: quantised forms carry scales and zero points between.
_CONVOLUTIONS = {"Conv": 1, "ConvInteger": 1, "QLinearConv": 3}
_PRODUCTS = {"Gemm": 1, "MatMul": 1, "MatMulInteger": 1, "QLinearMatMul": 3}


def flops_per_sample(path: Path) -> int | None:
    """Two per multiply-add of all convolutions and matrix products, for one image.

    Everything else (normalisation, activations, pooling, quantising) is not counted: it is a few
    percent of a convolutional network. None where the graph's shapes cannot be inferred.
    """
    onnx = require("onnx", "cpu", "counting a network's operations")
    model = onnx.load(str(path))
    for value in (model.graph.input[0], *model.graph.output):
        value.type.tensor_type.shape.dim[0].Clear()
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    del model.graph.value_info[:]
    graph = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    shapes = {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    for value in (*graph.value_info, *graph.input, *graph.output):
        if value.name not in shapes:
            shapes[value.name] = _shape(value)
    try:
        return sum(_flops(node, shapes) for node in graph.node)
    except (KeyError, TypeError):
        return None


def _shape(value: Any) -> list[int | None]:
    return [
        side.dim_value if side.HasField("dim_value") else None
        for side in value.type.tensor_type.shape.dim
    ]


def _flops(node: Any, shapes: dict[str, Any]) -> int:
    """Raises KeyError or TypeError where a shape it needs is unknown."""
    if node.op_type in _CONVOLUTIONS:
        weight = shapes[node.input[_CONVOLUTIONS[node.op_type]]]
        return 2 * int(prod(shapes[node.output[0]]) * prod(weight[1:]))
    if node.op_type in _PRODUCTS:
        first = shapes[node.input[0]]
        transposed = any(a.name == "transA" and a.i for a in node.attribute)
        inner = first[-2] if transposed else first[-1]
        return 2 * int(prod(shapes[node.output[0]]) * inner)
    return 0
