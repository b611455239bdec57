"""A graph that is followed in part alone, and what it makes of the size of its batch."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.export.foreign.batch import opened_batch

SPEC = InputSpec(3, 4, 4)


def node(operator: str, inputs: str, output: str, **attributes: Any) -> Any:
    return helper.make_node(operator, inputs.split(), [output], **attributes)


def branch(*nodes: Any) -> Any:
    result = helper.make_tensor_value_info(nodes[-1].output[0], TensorProto.FLOAT, None)
    return helper.make_graph(list(nodes), "branch", [], [result])


def loop(node_of_body: Any) -> Any:
    """m, changed twice."""
    body = helper.make_graph(
        [node("Identity", "go", "on"), node_of_body], "body",
        [helper.make_tensor_value_info("i", TensorProto.INT64, []),
         helper.make_tensor_value_info("go", TensorProto.BOOL, []),
         helper.make_tensor_value_info("a", TensorProto.FLOAT, None)],
        [helper.make_tensor_value_info("on", TensorProto.BOOL, []),
         helper.make_tensor_value_info("a2", TensorProto.FLOAT, None)],
    )  # fmt: skip
    return node("Loop", "two true m", "y", body=body)


SIZE = [node("Shape", "x", "shape"), node("Gather", "shape zero", "size", axis=0)]
MANY = [*SIZE, node("Greater", "size hundred", "many")]
MIXED = [
    node("Transpose", "x", "t", perm=[1, 0, 2, 3]), node("LRN", "t", "l", size=3),
    node("Transpose", "l", "u", perm=[1, 0, 2, 3]), node("Flatten", "u", "v"),
    node("MatMul", "v w", "y"),
]  # fmt: skip


def opened(nodes: list[Any]) -> Any:
    rng = np.random.default_rng(0)
    held = {
        "w": rng.normal(size=(48, 5)).astype(np.float32), "zero": np.array(0),
        "hundred": np.array(100), "two": np.array(2), "true": np.array(True),
        "first": np.array([0]),
    }  # fmt: skip
    graph = helper.make_graph(
        [node("Flatten", "x", "f"), node("MatMul", "f w", "m"), *nodes], "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, *SPEC.shape])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 5])],
        [numpy_helper.from_array(value, name) for name, value in held.items()],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    return opened_batch(model, SPEC, Path())


@pytest.mark.parametrize(
    ("nodes", "words"),
    [
        ([*MANY, node("Neg", "m", "less"), node("Where", "many less m", "y")], "'many' (Greater)"),
        (
            [*MANY, node("If", "many", "y", then_branch=branch(node("Neg", "m", "a")),
                         else_branch=branch(node("Identity", "m", "b")))],
            "'many' (Greater)",
        ),
        ([*SIZE, node("Cast", "size", "n", to=1), node("Div", "m n", "y")], "'n' (Cast)"),
        ([loop(node("Add", "a a", "a2")), *SIZE], ""),
    ],
    ids=["where", "if", "number", "loop"],
)  # fmt: skip
def test_a_size_that_is_more_than_a_shape_keeps_the_batch(nodes: list[Any], words: str) -> None:
    """None of them shows in a batch of a few rows."""
    found = opened(nodes)
    if words:
        assert found.model is None
        assert found.reason.startswith(f"node {words} may make another function of its size")
    else:
        assert (found.reason, found.proven) == ("", False)


def test_the_trips_of_a_loop_are_such_a_size() -> None:
    trips = loop(node("Add", "a a", "a2"))
    trips.input[0] = "size"
    assert opened([*SIZE, trips]).reason.startswith("node 'y' (Loop) may make another function")


def test_rows_that_mix_less_than_rounding_allows_are_found() -> None:
    """By the bits of a row in other company, where the graph cannot be followed."""
    assert opened(MIXED).reason.startswith("a row's logits change with the rows beside it; ")
