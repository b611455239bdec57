"""Model files: what is read from them and what is refused."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.input_spec import METADATA_KEY, InputSpec
from smoothcert.engine.models.model import external_data, open_onnx


@pytest.fixture
def path(linear_model: Callable[..., Path]) -> Path:
    return linear_model(np.ones((3, 12)), np.zeros(3), (3, 2, 2))


def with_metadata(path: Path, text: str) -> Path:
    model = onnx.load(str(path))
    helper.set_model_props(model, {METADATA_KEY: text})
    onnx.save(model, str(path))
    return path


def test_a_foreign_model_eats_plain_pixels(path: Path) -> None:
    model = open_onnx(path)
    assert model.spec == InputSpec(3, 2, 2)
    assert model.num_classes == 3
    assert model.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert model.describe()["name"] == "linear.onnx"


def test_metadata_is_honoured(path: Path) -> None:
    spec = InputSpec(3, 2, 2, (0.5,) * 3, (0.25,) * 3, 256, "bicubic")
    metadata = {"arch": "toy", **spec.to_metadata()}
    model = open_onnx(with_metadata(path, json.dumps(metadata)))
    assert model.spec == spec
    assert model.describe()["arch"] == "toy"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("not json", "JSON"),
        ("[1]", "JSON"),
        ('{"input_shape": [3, 2, 2]}', "does not describe"),
        (json.dumps(InputSpec(1, 2, 2).to_metadata()), "metadata says"),
    ],
)
def test_bad_metadata_is_refused(path: Path, text: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        open_onnx(with_metadata(path, text))


def test_external_data_is_part_of_the_digest(path: Path) -> None:
    model = onnx.load(str(path))
    outside = path.with_name("outside.onnx")
    onnx.save(
        model, str(outside), save_as_external_data=True, location="weights.bin", size_threshold=0
    )
    first = open_onnx(outside).sha256
    weights = outside.with_name("weights.bin")
    content = bytearray(weights.read_bytes())
    content[0] ^= 1
    weights.write_bytes(bytes(content))
    assert open_onnx(outside).sha256 != first


def branch_of(held: NodeProto) -> GraphProto:
    result = helper.make_tensor_value_info("w", TensorProto.FLOAT, [4])
    return helper.make_graph([held], "branch", [], [result])


def in_a_branch(held: NodeProto) -> ModelProto:
    branches = {"then_branch": branch_of(held), "else_branch": branch_of(held)}
    true = numpy_helper.from_array(np.array(True), "true")
    return helper.make_model(
        helper.make_graph(
            [helper.make_node("If", ["true"], ["w"], **branches)], "g", [], [], [true]
        )
    )


def in_a_function(held: NodeProto) -> ModelProto:
    function = helper.make_function(
        "ours", "Held", [], ["w"], [held], [helper.make_opsetid("", 17)]
    )
    node = helper.make_node("Held", [], ["w"], domain="ours")
    return helper.make_model(helper.make_graph([node], "g", [], []), functions=[function])


@pytest.mark.parametrize("where", [in_a_branch, in_a_function])
def test_external_data_are_found_wherever_they_are(
    where: Callable[[NodeProto], ModelProto], tmp_path: Path
) -> None:
    """Else two networks could have one digest."""
    tensor = numpy_helper.from_array(np.ones(4, np.float32), "w")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="weights.bin")
    (tmp_path / "weights.bin").write_bytes(bytes(16))
    model = where(helper.make_node("Constant", [], ["w"], value=tensor))
    onnx.save(model, str(tmp_path / "m.onnx"))
    assert external_data(tmp_path / "m.onnx") == [tmp_path / "weights.bin"]


def saved(tmp_path: Path, shape: list[int | str], out: list[int | str], kind: int) -> Path:
    graph = helper.make_graph(
        [helper.make_node("Flatten", ["x"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info("y", kind, out)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    path = tmp_path / "m.onnx"
    onnx.save(model, str(path))
    return path


@pytest.mark.parametrize(
    ("shape", "out", "kind", "words"),
    [
        (["N", 12], ["N", 12], TensorProto.FLOAT, r"expected float32, .* \[N, C, H, W\]"),
        (["N", 3, 2, 2], ["N", 12], TensorProto.DOUBLE, "double"),
        (["N", 3, "H", "W"], ["N", "K"], TensorProto.FLOAT, "leaves its input shape"),
    ],
)
def test_models_that_are_no_image_classifiers_are_refused(
    tmp_path: Path, shape: list[int | str], out: list[int | str], kind: int, words: str
) -> None:
    with pytest.raises(InputError, match=words):
        open_onnx(saved(tmp_path, shape, out, kind))


def test_missing_empty_truncated_and_other_files_are_refused(path: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        open_onnx(tmp_path / "absent.onnx")
    with pytest.raises(InputError, match="it is a folder"):
        open_onnx(tmp_path)
    (tmp_path / "empty.onnx").touch()
    with pytest.raises(InputError, match="empty"):
        open_onnx(tmp_path / "empty.onnx")
    (tmp_path / "text.onnx").write_text("hello")
    with pytest.raises(InputError, match="no model that ONNX Runtime can run"):
        open_onnx(tmp_path / "text.onnx")
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(InputError) as caught:
        open_onnx(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "input_type"),
    [
        (TensorProto.FLOAT, "float32"),
        (TensorProto.FLOAT16, "float16"),
        (TensorProto.BFLOAT16, "bfloat16"),
    ],
)
def test_half_inputs_are_told(tmp_path: Path, kind: int, input_type: str) -> None:
    model = open_onnx(saved(tmp_path, ["N", 3, 2, 2], ["N", 12], kind))
    assert (model.input_type, model.num_classes, model.batch) == (input_type, 12, "N")


def test_a_model_that_only_other_runtimes_run_is_described(tmp_path: Path) -> None:
    """ONNX Runtime has no bfloat16 convolution; the file still says what it is."""
    weight = helper.make_tensor("w", TensorProto.BFLOAT16, [2, 3, 1, 1], [0.5] * 6)
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["x", "w"], ["c"]),
            helper.make_node("Flatten", ["c"], ["y"]),
        ],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.BFLOAT16, [4, 3, 1, 1])],
        [helper.make_tensor_value_info("y", TensorProto.BFLOAT16, [4, 2])],
        [weight],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)], ir_version=10)
    helper.set_model_props(model, {METADATA_KEY: json.dumps(InputSpec(3, 1, 1).to_metadata())})
    path = tmp_path / "bf16.onnx"
    onnx.save(model, str(path))
    described = open_onnx(path)
    assert described.input_type == "bfloat16"
    assert (described.num_classes, described.batch) == (2, 4)
    assert described.metadata["input_shape"] == [3, 1, 1]
