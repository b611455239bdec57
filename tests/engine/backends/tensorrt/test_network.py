"""The order of TensorRT's calls and every way they fail, against a stand-in for the runtime.

What a GPU computes cannot be tested without one. The stand-in has no behaviour but what the
documentation states of return values; that the names exist is checked in test_module.py.
"""

import dataclasses
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from plan_files import record_of, write_plan

from smoothcert.engine.backends.device.driver import Gpu
from smoothcert.engine.backends.device.network import DeviceNetwork
from smoothcert.engine.backends.tensorrt import network
from smoothcert.engine.backends.tensorrt.module import TensorRT
from smoothcert.engine.backends.tensorrt.network import PlanRefusedError, TensorRTNetwork
from smoothcert.engine.backends.tensorrt.trust import open_plan
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.models.model import Model

trt = pytest.importorskip("tensorrt_rtx", reason="the extra tensorrt-rtx is not installed")

H200 = Gpu(0, "NVIDIA H200", "sm90")
INPUTS, LOGITS, STREAM = (0x1000, 0x2000), 0x3000, 0x77


class Context:
    """Records what is called; a name in `refused` answers as TensorRT does when it fails."""

    def __init__(self, refused: str) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.refused = refused

    def _answer(self, name: str, *arguments: Any) -> bool:
        self.calls.append((name, *arguments))
        return name != self.refused

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        return self._answer("set_input_shape", name, shape)

    def infer_shapes(self) -> list[str]:
        return [] if self._answer("infer_shapes") else ["input"]

    def set_tensor_address(self, name: str, address: int) -> bool:
        return self._answer("set_tensor_address", name, address)

    def execute_async_v3(self, stream: int) -> bool:
        return self._answer("execute_async_v3", stream)

    def is_stream_capturable(self, stream: int) -> bool:
        return self._answer("is_stream_capturable", stream)


@dataclasses.dataclass
class Engine:
    """Two tensors as record_of() describes them; `wrong` replaces answers."""

    context: Context | None
    wrong: dict[str, Any]
    num_io_tensors: int = 2

    def _tensor(self, name: str, key: str, image: Any, logits: Any) -> Any:
        return self.wrong.get(key, image if name == "input" else logits)

    def get_tensor_name(self, index: int) -> str:
        return str(self.wrong.get("names", ("input", "logits"))[index])

    def get_tensor_mode(self, name: str) -> Any:
        return self._tensor(name, "mode", trt.TensorIOMode.INPUT, trt.TensorIOMode.OUTPUT)

    def get_tensor_shape(self, name: str) -> Any:
        return self._tensor(name, "shape", trt.Dims([256, 3, 32, 32]), trt.Dims([256, 10]))

    def get_tensor_dtype(self, name: str) -> Any:
        return self._tensor(name, "dtype", trt.DataType.HALF, trt.DataType.FLOAT)

    def get_tensor_format(self, name: str) -> Any:
        return self.wrong.get("format", trt.TensorFormat.LINEAR)

    def get_tensor_format_desc(self, name: str) -> str:
        return "channels last"

    def get_tensor_location(self, name: str) -> Any:
        return self.wrong.get("location", trt.TensorLocation.DEVICE)

    def create_runtime_config(self) -> Any:
        return SimpleNamespace()

    def create_execution_context(self, config: Any = None) -> Context | None:
        if config is not None:
            strategies = trt.DynamicShapesKernelSpecializationStrategy
            assert config.dynamic_shapes_kernel_specialization_strategy == strategies.EAGER
        return self.context


class StandIn:
    """A module `trt` around one engine; the rest of its names are the real ones."""

    def __init__(self, engine: Engine | None, validity: Any = None, rtx: bool = False) -> None:
        self.module = TensorRT("tensorrt-rtx" if rtx else "tensorrt", "11.4.0.106", self)
        self._engine = engine
        self._validity = validity or (trt.EngineValidity.VALID, 0)

    def Runtime(self, logger: Any) -> Any:  # noqa: N802
        def deserialize(content: bytes) -> Engine | None:
            if self._engine is None:
                logger.log(trt.ILogger.Severity.ERROR, "Version tag does not match")
            return self._engine

        return SimpleNamespace(
            deserialize_cuda_engine=deserialize,
            get_engine_validity=lambda content: self._validity,
        )

    def __getattr__(self, name: str) -> Any:
        return getattr(trt, name)


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> list[Gpu]:
    """A machine with an H200, as far as the driver's answers go; the GPUs that were used."""
    used: list[Gpu] = []
    monkeypatch.setattr(network, "require_gpu", lambda index, purpose: H200)
    monkeypatch.setattr(network, "use", used.append)
    return used


def opened(
    monkeypatch: pytest.MonkeyPatch, model: Model, stand_in: StandIn, device: int = 0
) -> TensorRTNetwork:
    monkeypatch.setattr(network, "load_tensorrt", lambda name, purpose: stand_in.module)
    return TensorRTNetwork(model, device)


@pytest.fixture
def model(tmp_path: Path) -> Model:
    return open_plan(write_plan(tmp_path / "model.plan"))


def test_a_run_sets_shape_and_addresses_once(
    monkeypatch: pytest.MonkeyPatch, gpu: list[Gpu], model: Model
) -> None:
    context = Context("")
    network: DeviceNetwork = opened(monkeypatch, model, StandIn(Engine(context, {})))
    assert gpu == [H200]
    assert (network.batch_size, network.num_classes) == (256, 10)
    assert (network.input_scalar, network.logits_scalar) == ("float16", "float32")
    network.bind(INPUTS, LOGITS, STREAM)
    assert network.capturable
    for buffer in (0, 0, 1, 0):
        network.enqueue(buffer)
    assert context.calls == [
        ("set_input_shape", "input", (256, 3, 32, 32)),
        ("infer_shapes",),
        ("set_tensor_address", "logits", LOGITS),
        ("set_tensor_address", "input", INPUTS[0]),
        ("execute_async_v3", STREAM),
        ("execute_async_v3", STREAM),
        ("set_tensor_address", "input", INPUTS[1]),
        ("execute_async_v3", STREAM),
        ("set_tensor_address", "input", INPUTS[0]),
        ("execute_async_v3", STREAM),
    ]
    assert network.describe()["runtime"] == "tensorrt 11.4.0.106"
    assert network.describe()["precision"] == "fp16"


@pytest.mark.parametrize("refused", ["set_input_shape", "infer_shapes", "set_tensor_address"])
def test_a_refused_binding_is_an_error(
    monkeypatch: pytest.MonkeyPatch, gpu: list[Gpu], model: Model, refused: str
) -> None:
    network = opened(monkeypatch, model, StandIn(Engine(Context(refused), {})))
    with pytest.raises(RuntimeError, match="TensorRT"):
        network.bind(INPUTS, LOGITS, STREAM)


def test_a_refused_run_is_an_error_and_the_next_may_work(
    monkeypatch: pytest.MonkeyPatch, gpu: list[Gpu], model: Model
) -> None:
    context = Context("execute_async_v3")
    network = opened(monkeypatch, model, StandIn(Engine(context, {})))
    network.bind(INPUTS, LOGITS, STREAM)
    with pytest.raises(RuntimeError, match="cannot queue a run"):
        network.enqueue(0)
    context.refused = ""
    network.enqueue(0)


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"names": ("input", "extra")}, "it has the tensors input, extra"),
        ({"mode": trt.TensorIOMode.INPUT}, "tensor logits"),
        ({"shape": trt.Dims([256, 3, 32, 32])}, r"tensor logits has shape .*expected \[256, 10\]"),
        ({"dtype": trt.DataType.FLOAT}, "tensor input is FLOAT, expected HALF"),
        ({"format": trt.TensorFormat.HWC8}, "is laid out as channels last"),
        ({"location": trt.TensorLocation.HOST}, "not in device memory"),
    ],
)
def test_an_engine_that_buffers_would_not_fit_is_refused(
    monkeypatch: pytest.MonkeyPatch,
    gpu: list[Gpu],
    model: Model,
    wrong: dict[str, Any],
    reason: str,
) -> None:
    with pytest.raises(InputError, match=f"is not what its record says: .*{reason}"):
        opened(monkeypatch, model, StandIn(Engine(Context(""), wrong)))


def test_a_plan_the_runtime_does_not_take_names_its_reason(
    monkeypatch: pytest.MonkeyPatch, gpu: list[Gpu], model: Model
) -> None:
    with pytest.raises(PlanRefusedError, match=r"Version tag does not match.*smoothcert build"):
        opened(monkeypatch, model, StandIn(None))
    with pytest.raises(InputError, match="cannot be made ready"):
        opened(monkeypatch, model, StandIn(Engine(None, {})))


def test_a_plan_of_another_gpu_or_version_is_refused_unread(
    monkeypatch: pytest.MonkeyPatch, gpu: list[Gpu], tmp_path: Path
) -> None:
    for record, reason in (
        (record_of(gpu="NVIDIA L4"), "built for NVIDIA L4, this GPU is NVIDIA H200"),
        (record_of(version="11.3.0.1"), "built by tensorrt 11.3.0.1, installed is 11.4.0.106"),
    ):
        other = open_plan(write_plan(tmp_path / "other.plan", record))
        with pytest.raises(PlanRefusedError, match=reason) as caught:
            opened(monkeypatch, other, StandIn(Engine(Context(""), {})))
        assert "\n" not in str(caught.value)
    assert gpu == []


def test_a_plan_exchanged_after_opening_is_refused(
    monkeypatch: pytest.MonkeyPatch, gpu: list[Gpu], model: Model
) -> None:
    write_plan(model.path, content=b"another plan, with a record that fits it")
    with pytest.raises(InputError, match="has changed since it was opened"):
        opened(monkeypatch, model, StandIn(Engine(Context(""), {})))


def test_rtx_is_asked_for_validity_and_capture(
    monkeypatch: pytest.MonkeyPatch, gpu: list[Gpu], tmp_path: Path
) -> None:
    record = record_of(runtime="tensorrt-rtx", targets=(), gpu=None)
    model = open_plan(write_plan(tmp_path / "rtx.plan", record))
    context = Context("is_stream_capturable")
    network = opened(monkeypatch, model, StandIn(Engine(context, {}), rtx=True))
    network.bind(INPUTS, LOGITS, STREAM)
    assert not network.capturable
    assert ("is_stream_capturable", STREAM) in context.calls
    kinds = trt.EngineInvalidityDiagnostics
    bits = int(kinds.UNSUPPORTED_CC) | int(kinds.VERSION_MISMATCH)
    invalid = StandIn(Engine(context, {}), (trt.EngineValidity.INVALID, bits), rtx=True)
    with pytest.raises(PlanRefusedError, match="version mismatch, unsupported cc"):
        opened(monkeypatch, model, invalid)
