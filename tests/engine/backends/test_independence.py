"""A model that is no function of its row is refused by its graph; without that, by the probe."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from host_gpu import host_gpu
from onnx import TensorProto, helper, numpy_helper

from smoothcert.engine.backends import opening
from smoothcert.engine.backends.base import Compute
from smoothcert.engine.backends.independence import known_of_plan
from smoothcert.engine.backends.opening import open_backend
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.engine.models.model import Model, open_onnx
from smoothcert.engine.models.row_independence.known import Known
from smoothcert.engine.noise.lattice import LatticeGaussian

LAW = LatticeGaussian(0.25)
SHAPE = (3, 6, 6)
Write = Callable[..., Model]


def node(kind: str, inputs: list[str], output: str, **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(kind, inputs, [output], name=f"the_{kind}", **attributes)


GRAPHS = {
    "batch_mean": [
        node("ReduceMean", ["linear", "zero"], "mean", keepdims=1),
        node("Sub", ["linear", "mean"], "logits"),
    ],
    "batchnorm_training": [
        helper.make_node(
            "BatchNormalization",
            ["linear", "ones", "zeros", "zeros", "ones"],
            ["logits", "mean", "variance"],
            name="the_BatchNormalization",
            training_mode=1,
        )
    ],
    "dropout_training": [node("Dropout", ["linear", "half", "yes"], "logits")],
    "noise_inside": [
        node("RandomNormalLike", ["linear"], "noise"),
        node("Add", ["linear", "noise"], "logits"),
    ],
    "dynamic_quantization": [
        helper.make_node(
            "DynamicQuantizeLinear", ["flat"], ["q", "scale", "point"], name="the_Dynamic"
        ),
        node("DequantizeLinear", ["q", "scale", "point"], "again"),
        helper.make_node("Gemm", ["again", "weight"], ["logits"], name="second", transB=1),
    ],
}
NODES = {
    "batch_mean": "'the_ReduceMean' (ReduceMean)",
    "batchnorm_training": "'the_BatchNormalization' (BatchNormalization)",
    "dropout_training": "'the_Dropout' (Dropout)",
    "noise_inside": "'the_RandomNormalLike' (RandomNormalLike)",
    "dynamic_quantization": "'the_Dynamic' (DynamicQuantizeLinear)",
}
SOUND = [node("Identity", ["linear"], "logits")]
UNPROVEN = [
    helper.make_node(
        "Loop",
        ["once", "yes", "linear"],
        ["logits"],
        name="the_Loop",
        body=helper.make_graph(
            [
                node("Identity", ["go"], "go_on"),
                node("Relu", ["inside"], "outside"),
            ],
            "body",
            [
                helper.make_tensor_value_info("i", TensorProto.INT64, []),
                helper.make_tensor_value_info("go", TensorProto.BOOL, []),
                helper.make_tensor_value_info("inside", TensorProto.FLOAT, None),
            ],
            [
                helper.make_tensor_value_info("go_on", TensorProto.BOOL, []),
                helper.make_tensor_value_info("outside", TensorProto.FLOAT, None),
            ],
        ),
    )
]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """A linear classifier of five classes, and what `nodes` make of `flat` or its logits."""

    def make(nodes: list[onnx.NodeProto], batch: int | str = "N") -> Model:
        weight = np.random.default_rng(0).normal(size=(5, 108)).astype(np.float32)
        constants = {
            "weight": weight,
            "zero": np.array([0]),
            "ones": np.ones(5, np.float32),
            "zeros": np.zeros(5, np.float32),
            "half": np.array(0.5, np.float32),
            "yes": np.array(True),
            "once": np.array(1),
        }
        head = [
            node("Flatten", ["x"], "flat"),
            node("Gemm", ["flat", "weight"], "linear", transB=1),
        ]
        graph = helper.make_graph(
            [*head, *nodes],
            "graph",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, *SHAPE])],
            [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [batch, 5])],
            [numpy_helper.from_array(value, name) for name, value in constants.items()],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
        path = tmp_path / "m.onnx"
        onnx.save(model, str(path))
        return open_onnx(path)

    return make


def described(model: Model, **compute: Any) -> dict[str, Any]:
    backend = open_backend(model, LAW, 5, Compute(**{"batch": 16} | compute))
    found: dict[str, Any] = backend.describe()["row_independence"]
    return found


def test_a_sound_graph_is_proven_and_probed(write: Write) -> None:
    for backend in ("onnxruntime", "openvino"):
        known = described(write(SOUND), backend=backend)
        assert (known["verdict"], known["equality"]) == ("proven", "bitwise")
        assert "reason" not in known


@pytest.mark.parametrize(
    ("name", "batch"),
    [(name, 16) for name in GRAPHS]
    + [(name, 1) for name in GRAPHS if name != "dynamic_quantization"],
)
def test_a_graph_that_mixes_rows_or_draws_is_refused_with_its_node(
    write: Write, name: str, batch: int
) -> None:
    with pytest.raises(InputError) as refused:
        described(write(GRAPHS[name]), batch=batch)
    text = str(refused.value)
    assert NODES[name] in text
    assert "no certificate would hold" in text
    assert "\n" not in text


@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
def test_the_probe_alone_finds_them_too(
    write: Write, name: str, backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "known_of", lambda *_: Known("probed", "not looked at"))
    # OpenVINO has no training mode of dropout, and says so.
    words = (
        "Training mode" if (name, backend) == ("dropout_training", "openvino") else "no certificate"
    )
    with pytest.raises(InputError, match=words):
        described(write(GRAPHS[name]), backend=backend)


@pytest.mark.parametrize("name", ["batch_mean", "noise_inside", "dynamic_quantization"])
def test_on_a_gpu_too(write: Write, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    host_gpu(monkeypatch)
    with pytest.raises(InputError, match="no certificate would hold"):
        described(write(GRAPHS[name]), device="cuda:0")
    assert described(write(SOUND), device="cuda:0")["verdict"] == "proven"
    monkeypatch.setattr(opening, "known_of", lambda *_: Known("probed", "not looked at"))
    with pytest.raises(InputError, match="no certificate would hold"):
        described(write(GRAPHS[name]), device="cuda:0")


def test_dynamic_quantisation_may_run_one_row_at_a_time(write: Write) -> None:
    known = described(write(GRAPHS["dynamic_quantization"]), batch=1)
    assert (known["verdict"], known["batch"]) == ("proven", 1)
    fixed = described(write(GRAPHS["dynamic_quantization"], batch=1), batch=None)
    assert fixed["verdict"] == "proven"


def test_what_is_not_followed_is_probed_and_says_why(write: Write) -> None:
    known = described(write(UNPROVEN))
    assert known["verdict"] == "probed"
    assert known["reason"].startswith("node 'the_Loop' (Loop)")


def test_an_unproven_graph_is_compared_at_another_batch_size(write: Write) -> None:
    """This one divides by the rows of its batch, which no batch of one size shows."""
    by_size = [
        node("Shape", ["linear"], "shape"),
        node("Cast", ["shape"], "numbers", to=TensorProto.FLOAT),
        node("ReduceMax", ["numbers"], "rows", keepdims=0),
        node("Div", ["linear", "rows"], "divided"),
        *UNPROVEN,
    ]
    by_size[-1] = helper.make_node("Loop", ["once", "yes", "divided"], ["logits"], name="the_Loop")
    by_size[-1].attribute.extend(UNPROVEN[0].attribute)
    with pytest.raises(InputError, match="in a batch of 2 than in one of 16"):
        described(write(by_size))


def test_a_plan_says_what_its_graph_was(tmp_path: Path) -> None:
    def plan(**metadata: Any) -> Model:
        return Model(tmp_path / "m.plan", "00", InputSpec(*SHAPE), 5, 16, metadata)

    proven = {"verdict": "proven", "reason": ""}
    assert known_of_plan(plan(row_independence=proven)) == Known("proven")
    unproven = {"verdict": "probed", "reason": "node 'l' (Loop): a loop is not followed"}
    assert known_of_plan(plan(row_independence=unproven)).reason == unproven["reason"]
    assert known_of_plan(plan()) == Known("probed", "a plan shows no graph")
