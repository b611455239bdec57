"""A Squeeze that takes a batch of one row too, and what follows it: opened only where it stays the
file's function of every row, not of those alone that are compared."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.export.foreign.batch import opened_batch

SPEC = InputSpec(1, 8, 8)
FOLLOWED = "a Squeeze takes a batch of one row too, and what follows it cannot be followed"


def node(operator: str, inputs: str, output: str, **attributes: Any) -> Any:
    return helper.make_node(operator, inputs.split(), [output], **attributes)


def ints(*values: int) -> npt.NDArray[np.int64]:
    return np.array(values, np.int64)


def floats(*shape: int) -> npt.NDArray[np.float32]:
    return np.random.default_rng(2).normal(size=shape).astype(np.float32)


HELD: dict[str, npt.NDArray[Any]] = {
    "w": floats(8, 5), "b": floats(5), "all": floats(64, 5), "square": floats(8, 8),
    "dead": np.array([1] * 3 + [-90] * 5, np.float32), "high": np.array([8], np.float32),
    "flat": ints(1, 64), "rows": ints(1, 5), "copies": ints(0, -1), "zero": ints(0),
    "three": ints(3), "minus": ints(-1), "order": ints(7, 6, 5, 4, 3, 2, 1, 0),
}  # fmt: skip
"""What the nodes below read."""

OPENED = {
    "matrix and reshape": [
        node("MatMul", "s square", "m"), node("Tanh", "m", "t"), node("Mul", "t t", "t2"),
        node("Reshape", "t2 flat", "f"), node("MatMul", "f all", "y"),
    ],
    "squeezed twice": [
        node("Squeeze", "s", "s2"), node("Reshape", "s2 flat", "f"), node("MatMul", "f all", "y"),
    ],
    "the batch given back": [
        node("Unsqueeze", "s zero", "u"), node("Reshape", "u flat", "f"),
        node("MatMul", "f all", "y"),
    ],
}  # fmt: skip

KEPT = {
    # A mean over the last axis of the file, which would be one over the first: past the ReLU that
    # is no difference on the rows that are compared.
    "another axis behind a threshold": [
        node("ReduceMean", "s", "r", axes=[1], keepdims=0), node("Sub", "r high", "h"),
        node("Relu", "h", "h2"), node("MatMul", "h2 w", "m"), node("Reshape", "m rows", "m2"),
        node("Reshape", "x flat", "f"), node("MatMul", "f all", "own"), node("Add", "own m2", "y"),
    ],
    # Three of eight entries in the file, three rows of the batch, of which the others are 0.
    "a slice of dead entries": [
        node("ReduceMax", "x", "g", axes=[2], keepdims=1), node("Squeeze", "g", "v"),
        node("Add", "v dead", "d"), node("Relu", "d", "d2"), node("Slice", "d2 zero three", "d3"),
        node("ReduceSum", "d3 minus", "sum", keepdims=1), node("Mul", "sum b", "m"),
        node("Reshape", "m rows", "y"),
    ],
    "places along an axis": [
        node("Gather", "s order", "o", axis=1), node("MatMul", "o square", "m"),
        node("Reshape", "m flat", "f"), node("MatMul", "f all", "y"),
    ],
    "a side that is copied by its place": [
        node("Reshape", "s copies", "c"), node("Reshape", "c flat", "f"),
        node("MatMul", "f all", "y"),
    ],
    "an axis at the end": [
        node("Unsqueeze", "s minus", "u"), node("Reshape", "u flat", "f"),
        node("MatMul", "f all", "y"),
    ],
    "its shape": [
        node("Shape", "s", "sh"), node("Gather", "sh zero", "n"), node("Cast", "n", "c", to=1),
        node("Reshape", "s flat", "f"), node("MatMul", "f all", "m"), node("Mul", "m c", "y"),
    ],
}  # fmt: skip


def model_of(nodes: list[Any]) -> Any:
    graph = helper.make_graph(
        [node("Squeeze", "x", "s"), *nodes], "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, *SPEC.shape])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 5])],
        [numpy_helper.from_array(value, name) for name, value in HELD.items()],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    return model


def run(model: Any, rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return np.asarray(session.run(["y"], {"x": rows})[0])


@pytest.mark.parametrize("name", OPENED)
def test_what_knows_no_axis_is_followed(name: str) -> None:
    model = model_of(OPENED[name])
    opened = opened_batch(model, SPEC, Path())
    assert (opened.reason, opened.proven) == ("", True)
    rows = 30 * floats(6, *SPEC.shape)
    expected = np.concatenate([run(model, rows[i : i + 1]) for i in range(6)])
    np.testing.assert_allclose(run(opened.model, rows), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", KEPT)
def test_what_would_take_another_axis_keeps_the_batch(name: str) -> None:
    opened = opened_batch(model_of(KEPT[name]), SPEC, Path())
    assert (opened.model, opened.reason) == (None, FOLLOWED)
