"""Files that ONNX Runtime cannot load: one line, by what a person can do about it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.models.model import onnx_digest
from smoothcert.engine.models.onnx_graph import inspect_graph
from smoothcert.engine.models.unloadable import UnloadableError, plain

RUNTIME = f"onnxruntime {onnxruntime.__version__}"


def model(
    operator: str = "Relu",
    domain: str = "",
    opset: int = 17,
    ir: int = 8,
    kind: int = TensorProto.FLOAT,
) -> ModelProto:
    """Two nodes, the first of this operator."""
    nodes = [
        helper.make_node(operator, ["x"], ["h"], domain=domain),
        helper.make_node("Flatten", ["h"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", kind, ["N", 3, 2, 2])],
        [helper.make_tensor_value_info("y", kind, ["N", 12])],
    )
    opsets = [helper.make_opsetid("", opset)] + [helper.make_opsetid(domain, 1)] * bool(domain)
    return helper.make_model(graph, opset_imports=opsets, ir_version=ir)


def of_sum(opset: int) -> ModelProto:
    """Add of opset 6, which broadcasts by other rules."""
    made = model(opset=opset)
    made.graph.node[0].op_type = "Add"
    made.graph.node[0].input.append("x")
    return made


def with_learning_opset(version: int) -> ModelProto:
    made = model()
    made.opset_import.add(domain="ai.onnx.ml", version=version)
    return made


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (
            lambda: model(opset=99),
            rf"is of opset 99; {RUNTIME} reads up to \d+: upgrade onnxruntime or convert the model",
        ),
        (
            lambda: model(ir=99),
            rf"is of IR version 99; {RUNTIME} reads up to \d+: upgrade onnxruntime or convert",
        ),
        (lambda: with_learning_opset(99), r"is of opset 99 of ai\.onnx\.ml; .* reads up to \d+"),
        (lambda: of_sum(6), "is of opset 6, whose Add .* no longer runs: expected 7 or newer"),
        (lambda: model("Magic", "my.house"), "uses the operator Magic of 'my.house'"),
        (lambda: model("Magic"), "uses the operator Magic, which opset 17 does not have"),
        (
            lambda: model("Softplus", kind=TensorProto.DOUBLE, opset=22),
            "uses the operator Softplus on numbers for which .* has no kernel: expected float32",
        ),
    ],
)
def test_what_is_wrong_is_named(made: Callable[[], ModelProto], words: str, tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    onnx.save(made(), str(path))
    with pytest.raises(UnloadableError, match=words) as caught:
        inspect_graph(path)
    said = str(caught.value)
    assert said.startswith(f"model {path} ")
    assert "\n" not in said
    assert not any(mark in said for mark in (".cc", ".h:", "ONNXRuntimeError", "::"))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"hello", "is a text file"),
        (b"<!DOCTYPE html><html></html>", "is an HTML page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "git-lfs pointer"),
    ],
)
def test_what_is_no_onnx_is_told_by_its_kind(content: bytes, words: str, tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(content)
    with pytest.raises(UnloadableError, match=words) as caught:
        inspect_graph(path)
    assert "\n" not in str(caught.value)


def test_a_damaged_inside_is_one_line(tmp_path: Path) -> None:
    content = bytearray(model().SerializeToString())
    place = content.index(b"Relu")
    content[place - 2 : place + 6] = b"\xff" * 8
    path = tmp_path / "m.onnx"
    path.write_bytes(bytes(content))
    for opened in (inspect_graph, onnx_digest):
        with pytest.raises(InputError) as caught:
            opened(path)
        assert "\n" not in str(caught.value)


def test_missing_weights_are_named(tmp_path: Path) -> None:
    made = model()
    made.graph.node[0].op_type = "Add"
    made.graph.node[0].input.append("w")
    weight = numpy_helper.from_array(np.ones((3, 2, 2), np.float32), "w")
    made.graph.initializer.append(weight)
    path = tmp_path / "m.onnx"
    onnx.save(made, str(path), save_as_external_data=True, location="m.data", size_threshold=0)
    assert len(onnx_digest(path)) == 64
    (tmp_path / "m.data").unlink()
    for opened in (inspect_graph, onnx_digest):
        with pytest.raises(InputError, match=r"weights in m\.data, which is missing beside it"):
            opened(path)


def test_source_files_and_functions_are_left_out() -> None:
    said = (
        "[ONNXRuntimeError] : 1 : FAIL : Load model from /tmp/a b.onnx failed:/src/model.cc:256 "
        "onnxruntime::Model::Model(onnx::ModelProto&&, const onnxruntime::PathString&, const "
        "onnxruntime::logging::Logger&) Something is wrong\nwith it"
    )
    assert plain(said) == "Something is wrong with it"
