"""Engines built by TensorRT for RTX on this machine's processor, from real networks."""

import gc
import hashlib
import json
import signal
import subprocess
import sys
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from engine_models import half_model, qdq_model
from onnx import TensorProto, helper

from smoothcert.engine.backends.device.driver import gpus
from smoothcert.engine.backends.tensorrt.build import _stoppable, build_plan
from smoothcert.engine.backends.tensorrt.monitor import Silent, StopRequest
from smoothcert.engine.backends.tensorrt.options import BuildOptions
from smoothcert.engine.backends.tensorrt.plan import read_record, record_path
from smoothcert.engine.backends.tensorrt.trust import open_plan
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.export.architectures import architecture
from smoothcert.export.onnx_model import write_onnx

pytest.importorskip("tensorrt_rtx", reason="the extra tensorrt-rtx is not installed")

RTX: dict[str, Any] = {"runtime": "tensorrt-rtx"}
CIFAR = (3, 32, 32)


class Phases(Silent):
    """A watcher that keeps what it is told."""

    def __init__(self) -> None:
        self.started: list[tuple[str, str | None]] = []
        self.steps: dict[str, list[int]] = {}
        self.finished: list[str] = []

    def start(self, phase: str, parent: str | None, steps: int) -> None:
        self.started.append((phase, parent))

    def step(self, phase: str, done: int) -> None:
        self.steps.setdefault(phase, []).append(done)

    def finish(self, phase: str) -> None:
        self.finished.append(phase)


def test_resnet_50_in_half_precision(tmp_path: Path) -> None:
    model = half_model(tmp_path / "resnet50.onnx", "resnet50", 1000, (3, 224, 224))
    plan = tmp_path / "resnet50.plan"
    targets = BuildOptions(targets=("sm80", "sm89", "sm120"))
    record = build_plan(model, plan, targets, **RTX)
    assert record == read_record(plan)
    assert (record.precision, record.input_scalar, record.logits_scalar) == (
        "fp16", "float16", "float16")  # fmt: skip
    assert (record.batch, record.num_classes, record.spec.resize) == (256, 1000, 256)
    # The convolutions (53), their ReLUs (49), residuals (16), pools and the classifier: all half.
    assert set(record.build["layers"]) == {"fp16"}
    assert record.build["layers"]["fp16"] > 120
    content = plan.read_bytes()
    assert content[:4] == b"vtrt"
    assert len(content) == record.size > 2 * 25_000_000  # 25.6 million weights of two bytes
    assert record.sha256 == hashlib.sha256(content).hexdigest()
    assert record.model["onnx_sha256"] == hashlib.sha256(model.read_bytes()).hexdigest()
    assert {file.stat().st_mode & 0o777 for file in (plan, record_path(plan))} == {0o600}


def test_the_record_says_whether_rows_are_proven_to_be_independent(tmp_path: Path) -> None:
    model = half_model(tmp_path / "r20.onnx", "cifar_resnet20", 10, CIFAR)
    build_plan(model, tmp_path / "r20.plan", BuildOptions(batch=32), **RTX)
    opened = open_plan(tmp_path / "r20.plan")
    assert opened.metadata["row_independence"] == {"verdict": "proven", "reason": ""}
    graph = onnx.load(str(model))
    logits = graph.graph.output[0].name
    graph.graph.node.append(helper.make_node("Softmax", [logits], ["mixed"], name="over", axis=0))
    graph.graph.output[0].name = "mixed"
    onnx.save(graph, str(model))
    with pytest.raises(InputError, match=r"node 'over' \(Softmax\).*no certificate would hold"):
        build_plan(model, tmp_path / "mixed.plan", BuildOptions(batch=32), **RTX)
    assert not (tmp_path / "mixed.plan").exists()


def test_resnet_110_tells_its_phases(tmp_path: Path) -> None:
    model, plan = (
        half_model(tmp_path / "cifar_resnet110.onnx", "cifar_resnet110", 10, CIFAR),
        tmp_path / "a.plan",
    )
    phases = Phases()
    record = build_plan(model, plan, BuildOptions(), watcher=phases, **RTX)
    assert (record.precision, record.batch, record.targets) == ("fp16", 2048, ())
    assert record.build["layers"]["fp16"] > 250
    (root,) = [phase for phase, parent in phases.started if parent is None]
    assert root in phases.finished
    assert sorted(phases.finished) == sorted(phase for phase, _ in phases.started)
    assert all(steps == sorted(steps) for steps in phases.steps.values())


def test_a_plan_keeps_what_its_export_says(tmp_path: Path) -> None:
    spec = InputSpec(*CIFAR, mean=(0.4, 0.5, 0.6), std=(0.2, 0.25, 0.3))
    model = tmp_path / "model.onnx"
    origin = {"arch": "small_cnn", "checkpoint_sha256": "ab"}
    write_onnx(architecture("small_cnn", 10, CIFAR), spec, 10, model, origin)
    build_plan(model, tmp_path / "a.plan", BuildOptions(batch=64), **RTX)
    opened = open_plan(tmp_path / "a.plan")
    assert (opened.spec, opened.batch, opened.num_classes) == (spec, 64, 10)
    described = opened.describe()
    assert (described["arch"], described["precision"]) == ("small_cnn", "fp32")
    assert opened.metadata["checkpoint_sha256"] == "ab"


@pytest.mark.parametrize(
    ("kind", "precision", "targets"),
    [
        (TensorProto.INT8, "int8", ("sm75", "sm80", "sm86", "sm89", "sm120", "sm121")),
        (TensorProto.FLOAT8E4M3FN, "fp8", ("sm89", "sm120")),
    ],
)
def test_quantised_networks(
    tmp_path: Path, kind: int, precision: str, targets: tuple[str, ...]
) -> None:
    model, plan = qdq_model(tmp_path / "q.onnx", activation=kind, weight=kind), tmp_path / "q.plan"
    record = build_plan(model, plan, BuildOptions(batch=16, targets=targets), **RTX)
    assert (record.precision, record.input_scalar) == (precision, "float32")
    assert record.build["layers"][precision] == 2
    assert record.targets == targets


@pytest.mark.parametrize(
    ("options", "build", "reason"),
    [
        (
            {"zero_point": 3},
            {},
            r"node 'input_Q' \(QuantizeLinear\) is refused .*zero point is not supported",
        ),
        ({"operator": "Strange"}, {}, r"node 'after' \(Strange\) is refused"),
        (
            {"activation": TensorProto.FLOAT8E4M3FN, "weight": TensorProto.FLOAT8E4M3FN},
            {"targets": ("sm75",)},
            "cannot be built: .*fp8",
        ),
        ({}, {"targets": ("sm90",)}, "target 'sm90' is not one of .*expected some of sm75,"),
        ({}, {"targets": ("current",)}, "target 'current' is not one of"),
        ({}, {"compatibility": "ampere-plus"}, "is full TensorRT's.* give --target"),
        ({}, {"version_compatible": True}, "is full TensorRT's"),
        ({}, {"workspace": 1, "batch": 2048}, "cannot be built"),
    ],
)
def test_refusals_name_the_reason_in_one_line(
    tmp_path: Path,
    options: dict[str, Any],
    build: dict[str, Any],
    reason: str,
) -> None:
    with pytest.raises(InputError, match=reason) as caught:
        build_plan(
            qdq_model(tmp_path / "q.onnx", **options),
            tmp_path / "x.plan",
            BuildOptions(**build),
            **RTX,
        )
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.glob("x.plan*"))


def test_a_fixed_batch_is_kept(linear_model: Any, tmp_path: Path) -> None:
    weights = np.ones((4, 12), np.float32), np.zeros(4, np.float32)
    model = linear_model(*weights, (3, 2, 2), batch=5)
    plan = tmp_path / "fixed.plan"
    assert build_plan(model, plan, BuildOptions(), **RTX).batch == 5
    with pytest.raises(InputError, match=r"batch 8 does not fit model .*fixed at 5"):
        build_plan(model, plan, BuildOptions(batch=8), **RTX)


def graph_file(path: Path, nodes: list[Any], inputs: list[Any], outputs: list[Any]) -> Path:
    def value(name: str, kind: int, shape: list[Any]) -> Any:
        return helper.make_tensor_value_info(name, kind, shape)

    graph = helper.make_graph(
        nodes, "g", [value(*entry) for entry in inputs], [value(*entry) for entry in outputs]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, str(path))
    return path


IMAGE = ("input", TensorProto.FLOAT, ["N", 3, 4, 4])


@pytest.mark.parametrize(
    ("nodes", "inputs", "outputs", "reason"),
    [
        (
            [helper.make_node("Add", ["input", "other"], ["logits"])],
            [IMAGE, ("other", TensorProto.FLOAT, ["N", 3, 4, 4])],
            [("logits", TensorProto.FLOAT, ["N", 3, 4, 4])],
            r"has 2 inputs \(input, other\): expected one",
        ),
        (
            [helper.make_node("Relu", ["input"], ["logits"])],
            [IMAGE],
            [("logits", TensorProto.FLOAT, ["N", 3, 4, 4])],
            r"returns FLOAT \[7, 3, 4, 4\] for 7 images: expected logits \[7, K\]",
        ),
        (
            [helper.make_node("Flatten", ["input"], ["logits"])],
            [("input", TensorProto.FLOAT, ["N", 3, "H", "W"])],
            [("logits", TensorProto.FLOAT, ["N", "K"])],
            r"takes FLOAT \[-1, 3, -1, -1\]: expected .*fixed C, H, W",
        ),
        (
            [helper.make_node("Flatten", ["input"], ["logits"], axis=0)],
            [IMAGE],
            [("logits", TensorProto.FLOAT, [1, "K"])],
            r"returns FLOAT \[1, 336\] for 7 images",
        ),
    ],
)
def test_what_is_no_classifier_is_refused(
    tmp_path: Path, nodes: list[Any], inputs: list[Any], outputs: list[Any], reason: str
) -> None:
    model = graph_file(tmp_path / "model.onnx", nodes, inputs, outputs)
    with pytest.raises(InputError, match=reason):
        build_plan(model, tmp_path / "x.plan", BuildOptions(batch=7), **RTX)


def test_only_the_first_output_is_built(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Flatten", ["input"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"]),
    ]
    both = [(name, TensorProto.FLOAT, ["N", 48]) for name in ("logits", "probabilities")]
    model = graph_file(tmp_path / "two.onnx", nodes, [IMAGE], both)
    record = build_plan(model, tmp_path / "two.plan", BuildOptions(batch=3), **RTX)
    assert (record.logits_name, record.num_classes) == ("logits", 48)


def test_settings_reach_the_record_and_the_builder(linear_model: Any, tmp_path: Path) -> None:
    model = linear_model(np.ones((4, 12), np.float32), np.zeros(4, np.float32), (3, 2, 2))
    options = BuildOptions(batch=2, optimization_level=0, workspace=64, aux_streams=0, tf32=False)
    record = build_plan(model, tmp_path / "a.plan", options, **RTX)
    assert not record.tf32
    assert record.build["optimization_level"] == 0
    assert record.build["workspace"] == 64
    assert json.loads(record_path(tmp_path / "a.plan").read_text())["tf32"] is False


@pytest.mark.skipif(bool(gpus()), reason="this machine has a GPU")
def test_full_tensorrt_is_not_touched_without_a_driver(
    linear_model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its objects would end the process: this one has none, so that touching it would show."""
    (tmp_path / "tensorrt.py").write_text("__version__ = '11.4.0.106'\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    model = linear_model(np.ones((4, 12), np.float32), np.zeros(4, np.float32), (3, 2, 2))
    try:
        with pytest.raises(InputError, match="full TensorRT needs an NVIDIA GPU and its driver"):
            build_plan(model, tmp_path / "x.plan", BuildOptions(), runtime="tensorrt")
    finally:
        sys.modules.pop("tensorrt", None)


class Resource:
    """Something whose end can be watched."""


def test_a_failed_build_leaves_nothing_to_the_garbage_collector() -> None:
    """A builder freed by the collector while the next one logs would wait for itself."""
    kept: list[weakref.ref[Resource]] = []

    def work(stop: StopRequest) -> None:
        resource = Resource()
        kept.append(weakref.ref(resource))
        raise InputError("refused")

    gc.disable()
    try:
        with pytest.raises(InputError) as caught:
            _stoppable(work)
        assert kept[0]() is None
        assert str(caught.value) == "refused"
    finally:
        gc.enable()


STOPPED = """
import os, signal, sys
from pathlib import Path
from smoothcert.engine.backends.tensorrt.monitor import Silent
from smoothcert.engine.backends.tensorrt.build import build_plan
from smoothcert.engine.backends.tensorrt.options import BuildOptions

class Impatient(Silent):
    def start(self, phase, parent, steps):
        if parent is not None and not hasattr(self, "sent"):
            self.sent = True
            os.kill(os.getpid(), signal.SIGINT)

try:
    build_plan(Path(sys.argv[1]), Path(sys.argv[2]), BuildOptions(batch=64),
               runtime="tensorrt-rtx", watcher=Impatient())
except KeyboardInterrupt:
    print("interrupted")
"""


def test_an_interrupted_build_ends_and_leaves_nothing(tmp_path: Path) -> None:
    model = half_model(tmp_path / "cifar_resnet20.onnx", "cifar_resnet20", 10, CIFAR)
    command = [sys.executable, "-c", STOPPED, str(model), str(tmp_path / "x.plan")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stdout) == (0, "interrupted\n"), done.stderr
    assert done.returncode != -signal.SIGABRT
    assert list(tmp_path.iterdir()) == [model]
