"""An input of an ONNX graph beside its images, bound to a constant."""

from typing import Any

import numpy as np
import numpy.typing as npt

from smoothcert.engine.base.errors import InputError, require
from smoothcert.engine.models.onnx_graph import GraphValue
from smoothcert.export.composite.conditions import Told

_NUMBERS: dict[str, type] = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
}

_Sides = tuple[int, ...]


def value_of(beside: GraphValue, condition: Told, images: _Sides) -> npt.NDArray[Any]:
    """What the input is given for images of that shape, as the graph lays them: a full array."""
    batch, *sides = images
    shape = tuple(batch if side is None else side for side in _shape(beside, tuple(sides)))
    array: npt.NDArray[Any] = np.full(shape, _number(beside, condition))
    return array


def bind(graph: Any, image: str, beside: GraphValue, condition: Told, sides: _Sides) -> None:
    """Make an input of an onnx.ModelProto (opset 13 or later) a constant, as many rows of it as
    there are images.

    image  the name of the images' input; sides are theirs, without the batch, as the graph has them
    """
    onnx = require("onnx", "export", "exporting to ONNX")
    body, name = graph.graph, beside.name
    inputs = [value for value in body.input if value.name != name]
    del body.input[:]
    body.input.extend(inputs)
    shape, number = _shape(beside, sides), _number(beside, condition)
    fixed = tuple(side for side in shape if side is not None)
    if len(fixed) == len(shape):
        body.initializer.append(onnx.numpy_helper.from_array(np.full(fixed, number), name))
        return

    def constant(suffix: str, values: Any) -> str:
        body.initializer.append(onnx.numpy_helper.from_array(np.array(values), f"{name}/{suffix}"))
        return f"{name}/{suffix}"

    def node(operator: str, inputs: list[str], output: str, **attributes: Any) -> str:
        made.append(onnx.helper.make_node(operator, inputs, [output], output, **attributes))
        return output

    made: list[Any] = []
    rows = node(
        "Slice",
        [node("Shape", [image], f"{name}/images"), constant("from", [0]), constant("to", [1])],
        f"{name}/rows",
    )
    rest = constant("sides", np.array(shape[1:], np.int64))
    whole = node("Concat", [rows, rest], f"{name}/shape", axis=0) if shape[1:] else rows
    node("Expand", [constant("number", np.full([1] * len(shape), number)), whole], name)
    nodes = [*made, *body.node]
    del body.node[:]
    body.node.extend(nodes)


def _number(beside: GraphValue, condition: Told) -> Any:
    kind = _NUMBERS.get(beside.type)
    if kind is None or (issubclass(kind, np.integer) and condition.value != int(condition.value)):
        raise InputError(
            f"the denoiser's input {beside.name!r} is {beside.made_of}: expected a float for a "
            "noise level, a float or an integer for a timestep; export it again"
        )
    return kind(condition.value)


def _shape(beside: GraphValue, sides: _Sides) -> list[int | None]:
    """The input's shape; None stands for the batch. A noise map has the sides of its images."""
    rank = len(beside.shape)
    channel = min(range(len(sides)), key=lambda axis: sides[axis])
    shape: list[int | None] = []
    for axis, side in enumerate(beside.shape):
        if isinstance(side, int):
            shape.append(side)
        elif axis == 0:
            shape.append(None)
        else:
            a_map = rank == len(sides) + 1 and axis - 1 != channel
            shape.append(sides[axis - 1] if a_map else 1)
    return shape
