"""Which models are walked, and with which shape."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from row_graphs import proven, refused, unproven

from smoothcert.engine.models.row_independence.source import read
from smoothcert.engine.models.row_independence.verdict import Stop
from smoothcert.engine.models.row_independence.walk import analyse


def declared(*dims: int | str) -> onnx.ModelProto:
    model = proven("y = Relu(x)").model()
    model.graph.input[0].CopyFrom(helper.make_tensor_value_info("x", TensorProto.FLOAT, list(dims)))
    return model


@pytest.mark.parametrize(
    ("dims", "shape"),
    [
        (("N", 3, 8, 6), "(N, 3, 8, 6)"),
        (("N", 8, 6, 3), "(N, 8, 6, 3)"),
        (("N", "c", "h", "w"), "(N, 3, 8, 6)"),
        (("N", 3, "h", "w"), "(N, 3, 8, 6)"),
        (("N", "h", "w", 3), "(N, 8, 6, 3)"),
        ((5, 3, 8, 6), "(5, 3, 8, 6)"),
        (("N", 8, 3, 6), "(N, 8, 3, 6)"),
        ((-1, -1, 8, 6), "(N, 3, 8, 6)"),
    ],
)
def test_open_sides_are_filled(dims: tuple[int | str, ...], shape: str) -> None:
    assert str(read(declared(*dims), (3, 8, 6), None).shape) == shape


@pytest.mark.parametrize(
    ("dims", "words"),
    [
        (("N", 3, 8, 8), "not"),
        (("N", 144), "not"),
        (("N", 4, "h", "w"), "not"),
        ((), "no shape"),
    ],
)
def test_another_shape_is_not_followed(dims: tuple[int | str, ...], words: str) -> None:
    with pytest.raises(Stop, match=words):
        read(declared(*dims), (3, 8, 6), None)


def test_a_shape_that_nobody_gives_is_not_followed() -> None:
    proof = analyse(declared("N", "k"))
    assert proof.verdict == "unproven"
    assert "leaves open" in proof.reason
    assert analyse(declared("N", 4)).verdict == "proven"


def test_the_batch_is_the_files_or_the_questions() -> None:
    assert str(read(declared("N", 4), None, None).batch) == "N"
    assert read(declared("N", 4), None, 3).batch == 3
    assert read(declared(3, 4), None, None).batch == 3
    assert read(declared(3, 4), None, 3).batch == 3
    with pytest.raises(Stop, match="fixed at 3"):
        read(declared(3, 4), None, 1)


@pytest.mark.parametrize("opset", [6, onnx.defs.onnx_opset_version() + 1, 99])
def test_other_opsets_are_not_followed(opset: int) -> None:
    proof = unproven("", "y = Relu(x)", opset=opset).proof()
    assert proof.verdict == "unproven"
    assert f"opset {opset}" in proof.reason


def test_two_versions_of_one_domain_are_not_followed() -> None:
    model = proven("y = Relu(x)").model()
    model.opset_import.append(helper.make_opsetid("ai.onnx", 17))
    assert analyse(model).verdict == "unproven"


def test_two_inputs_are_not_followed() -> None:
    model = proven("y = Relu(x)").model()
    model.graph.input.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, ["N", 4]))
    proof = analyse(model)
    assert proof.verdict == "unproven"
    assert "2 inputs" in proof.reason


def test_a_weight_that_is_also_an_input_is_a_weight() -> None:
    model = proven("y = MatMul(x, w)", w=np.ones((4, 3))).model()
    model.graph.input.append(helper.make_tensor_value_info("w", TensorProto.FLOAT, [4, 3]))
    assert analyse(model).verdict == "proven"


def test_weights_in_another_file_need_not_be_there() -> None:
    model = proven("y = MatMul(x, w)", w=np.ones((4, 3))).model()
    (weight,) = (tensor for tensor in model.graph.initializer if tensor.name == "w")
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    weight.external_data.add(key="location", value="absent.bin")
    assert analyse(model).verdict == "proven"
    # As something along the batch it would have to be known.
    model = refused("Add", "y = Add(x, w)", shape="6,4", w=np.ones((6, 4))).model()
    assert analyse(model).verdict == "proven"
    (weight,) = (tensor for tensor in model.graph.initializer if tensor.name == "w")
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    assert analyse(model).verdict == "unproven"


def test_functions_are_inlined_beside_large_weights() -> None:
    model = proven("m = MatMul(x, w) y = Relu(m)", w=np.ones((4, 20_000))).model()
    body = [helper.make_node("Neg", ["a"], ["b"])]
    opsets = [helper.make_opsetid("", 18)]
    model.functions.append(helper.make_function("own", "Turned", ["a"], ["b"], body, opsets))
    model.opset_import.append(helper.make_opsetid("own", 1))
    model.graph.node[1].op_type, model.graph.node[1].domain = "Turned", "own"
    assert analyse(model).verdict == "proven"
