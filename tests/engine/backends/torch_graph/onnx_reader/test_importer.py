"""Refusals name operator, opset, node and reason, whatever goes wrong there."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import fx

from smoothcert.engine.backends.torch_graph.onnx_reader.reading import (
    UnsupportedGraphError,
    read_module,
)

Same = Callable[..., fx.GraphModule]


@pytest.mark.parametrize(
    ("lines", "refusal"),
    [
        (["y = NonZero(x)"], "NonZero (opset 18), node 'y': this operator is not brought over"),
        (["y = RandomNormalLike(x)"], "RandomNormalLike (opset 18), node 'y': this operator is"),
        (["y = Bernoulli(x)"], "Bernoulli (opset 18), node 'y': this operator is not brought over"),
        (["s = SequenceConstruct(x)", "y = SequenceAt(s, i)"], "SequenceConstruct (opset 18), nod"),
        (["y = QuantizeLinear(x, f)"], "QuantizeLinear (opset 18), node 'y': quantised networks"),
        (["q, s, z = DynamicQuantizeLinear(x)"], "DynamicQuantizeLinear (opset 18), node 'q': qua"),
        (["y = DequantizeLinear(u, f)"], "DequantizeLinear (opset 18), node 'y': quantised netw"),
        (["y = QLinearMatMul(u, f, u, u, f, u, f, u)"], "QLinearMatMul (opset 18), node 'y': quan"),
        (["y = ConvInteger(u, u)"], "ConvInteger (opset 18), node 'y': quantised networks are not"),
        (["y = com.microsoft.Gelu(x)"], "com.microsoft.Gelu (opset 18), node 'y': the domain "
         "'com.microsoft' is not brought over"),
        (["y = Relu(nowhere)"], "Relu (opset 18), node 'y': input 'nowhere', which nothing before"),
        (["y = Relu()"], "Relu (opset 18), node 'y': TypeError: "),
        (["y = Relu(x, x)"], "Relu (opset 18), node 'y': TypeError: "),
        (["y = Concat()"], "Concat (opset 18), node 'y': IndexError: "),
        (["y = Gemm<alpha=1.0>(x, f)"], "Gemm (opset 18), node 'y': "),
        (["y = Relu<slope=1>(x)"], "Relu (opset 18), node 'y': attribute slope is not brought"),
        (["a, i = MaxPool<kernel_shape=[2,2]>(x)", "y = Cast<to=1>(i)"],
         "Cast (opset 18), node 'y': input 'i', output 2 of MaxPool, node 'a', is not brought"),
        (["a, y = MaxPool<kernel_shape=[2,2]>(x)"], "output 'y', output 2 of MaxPool, node 'a', i"),
        (["z = Relu(x)"], "output 'y', which no node makes, is not brought over"),
    ],
)  # fmt: skip
def test_refusals(graph_file: Callable[..., Path], lines: list[str], refusal: str) -> None:
    path = graph_file(*lines, i=np.int64(0), f=np.float32(0.1), u=np.array([[1]], np.uint8))
    with pytest.raises(UnsupportedGraphError) as error:
        read_module(path, 2)
    assert str(error.value).startswith(f"model {path} cannot become a torch graph: {refusal}")
    assert "\n" not in str(error.value)


def test_a_node_is_named_by_its_name(tmp_path: Path) -> None:
    path = _saved(tmp_path, [helper.make_node("Det", ["x"], ["y"], name="/layer/Det")])
    with pytest.raises(UnsupportedGraphError, match=r"Det \(opset 18\), node '/layer/Det': this"):
        read_module(path, 2)


def _saved(folder: Path, nodes: list[onnx.NodeProto], *initializers: onnx.TensorProto) -> Path:
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3, 4, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        list(initializers),
    )
    path = folder / "graph.onnx"
    versions = [helper.make_opsetid("", 18)]
    onnx.save(helper.make_model(graph, opset_imports=versions, ir_version=10), str(path))
    return path


def _branch(name: str, operator: str) -> onnx.GraphProto:
    """A branch that takes x from around it."""
    output = helper.make_tensor_value_info(name, TensorProto.FLOAT, None)
    weight = numpy_helper.from_array(np.array(2, np.float32), f"{name}_weight")
    nodes = [helper.make_node("Mul", ["x", f"{name}_weight"], [f"{name}_h"]),
             helper.make_node(operator, [f"{name}_h"], [name])]  # fmt: skip
    return helper.make_graph(nodes, name, [], [output], [weight])


@pytest.mark.parametrize("chosen", [True, False])
def test_the_branch_of_a_known_condition_is_walked(
    tmp_path: Path, agrees: Same, chosen: bool
) -> None:
    branches = {"then_branch": _branch("t", "Relu"), "else_branch": _branch("e", "Sin")}
    path = _saved(
        tmp_path,
        [helper.make_node("Shape", ["x"], ["s"]), helper.make_node("Gather", ["s", "i"], ["r"]),
         helper.make_node("Equal", ["r", "three"], ["c"]),
         helper.make_node("If", ["c"], ["h"], **branches), helper.make_node("Neg", ["h"], ["y"])],
        numpy_helper.from_array(np.array(1 if chosen else 2), "i"),
        numpy_helper.from_array(np.array(3), "three"),
    )  # fmt: skip
    module = agrees(path)
    assert any(node.target is torch.relu for node in module.graph.nodes) == chosen


def test_control_flow_on_computed_values_is_refused(tmp_path: Path) -> None:
    branches = {"then_branch": _branch("t", "Relu"), "else_branch": _branch("e", "Sin")}
    nodes = [helper.make_node("ReduceMax", ["x"], ["m"], keepdims=0),
             helper.make_node("Cast", ["m"], ["c"], to=TensorProto.BOOL),
             helper.make_node("If", ["c"], ["y"], **branches)]  # fmt: skip
    with pytest.raises(UnsupportedGraphError, match=r"If .*'y': the condition must be given and"):
        read_module(_saved(tmp_path, nodes), 2)


def test_loops_are_refused(tmp_path: Path) -> None:
    body = helper.make_graph([], "body", [], [])
    nodes = [helper.make_node("Loop", ["n", "", "x"], ["y"], body=body)]
    path = _saved(tmp_path, nodes, numpy_helper.from_array(np.array(2), "n"))
    with pytest.raises(UnsupportedGraphError, match=r"Loop \(opset 18\), node 'y': this operator"):
        read_module(path, 2)


def test_an_initializer_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    text = TensorProto(name="words", data_type=TensorProto.STRING, dims=[1], string_data=[b"a"])
    nodes = [helper.make_node("Relu", ["x"], ["y"])]
    with pytest.raises(UnsupportedGraphError, match="initializer 'words' cannot be read: element"):
        read_module(_saved(tmp_path, nodes, text), 2)
