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
from smoothcert.engine.base.errors import DeviceMemoryError, DeviceUnavailableError, InputError
from smoothcert.engine.models.model import Model

trt = pytest.importorskip("tensorrt_rtx", reason="the extra tensorrt-rtx is not installed")

H200 = Gpu(0, "NVIDIA H200", "sm90")
INPUTS, LOGITS, STREAM = (0x1000, 0x2000), 0x3000, 0x77


NO_ROOM = "[executionContext.cpp::initialize::644] Error Code 2: OutOfMemory (Requested size was 9)"


class Context:
    """Records what is called; a name in `refused` answers as TensorRT does when it fails, after it
    has logged what it `said`."""

    def __init__(self, refused: str, said: str = "") -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.refused = refused
        self.said = said
        self.logger: Any = None  # the runtime's, once there is one

    def _answer(self, name: str, *arguments: Any) -> bool:
        self.calls.append((name, *arguments))
        if name == self.refused and self.said:
            self.logger.log(trt.ILogger.Severity.ERROR, self.said)
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

    context: Context | Exception | None
    wrong: dict[str, Any]
    num_io_tensors: int = 2
    logger: Any = None

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
        if isinstance(self.context, Exception):
            raise self.context
        if self.context is None:
            self.logger.log(trt.ILogger.Severity.ERROR, self.wrong.get("said", "no context"))
        else:
            self.context.logger = self.logger
        return self.context


class StandIn:
    """A module `trt` around one engine; the rest of its names are the real ones."""

    def __init__(
        self,
        engine: Engine | Exception | None,
        validity: Any = None,
        rtx: bool = False,
        said: str = "Version tag does not match",
    ) -> None:
        self.module = TensorRT("tensorrt-rtx" if rtx else "tensorrt", "11.4.0.106", self)
        self.host_code: list[bool] = []
        self._engine = engine
        self._validity = validity or (trt.EngineValidity.VALID, 0)
        self._said = said

    def Runtime(self, logger: Any) -> Any:  # noqa: N802
        def deserialize(content: bytes) -> Engine | None:
            self.host_code.append(runtime.engine_host_code_allowed)
            if isinstance(self._engine, Exception):
                raise self._engine
            if self._engine is None:
                logger.log(trt.ILogger.Severity.ERROR, self._said)
            else:
                self._engine.logger = logger
            return self._engine

        def validity(content: bytes) -> Any:
            if isinstance(self._validity, Exception):
                raise self._validity
            return self._validity

        runtime = SimpleNamespace(
            deserialize_cuda_engine=deserialize,
            get_engine_validity=validity,
            engine_host_code_allowed=False,
        )
        return runtime

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
    with pytest.raises(PlanRefusedError, match="a damaged plan"):
        opened(monkeypatch, model, StandIn(RuntimeError("a damaged\nplan")))
    for context, reason in ((None, "no context"), (RuntimeError("it broke"), "it broke")):
        with pytest.raises(InputError, match=f"cannot be made ready to run: {reason}") as caught:
            opened(monkeypatch, model, StandIn(Engine(context, {})))
        # Another build of the plan would not help.
        assert not isinstance(caught.value, (PlanRefusedError, DeviceMemoryError))


def test_a_runtime_that_does_not_start_is_one_line(
    monkeypatch: pytest.MonkeyPatch, gpu: list[Gpu], model: Model
) -> None:
    class NoDriver(StandIn):
        def Runtime(self, logger: Any) -> Any:  # noqa: N802
            raise TypeError("pybind11::init(): factory function returned nullptr")

    with pytest.raises(DeviceUnavailableError, match=r"does not start here .*returned nullptr"):
        opened(monkeypatch, model, NoDriver(Engine(Context(""), {})))


def test_a_device_that_is_too_small_is_told_apart(
    monkeypatch: pytest.MonkeyPatch, gpu: list[Gpu], model: Model
) -> None:
    """At load, for the context, at the first shapes and in the first run."""
    for stand_in in (
        StandIn(None, said=NO_ROOM),
        StandIn(RuntimeError("cudaErrorMemoryAllocation")),
        StandIn(Engine(None, {"said": NO_ROOM})),
    ):
        with pytest.raises(DeviceMemoryError, match="expected a smaller --batch"):
            opened(monkeypatch, model, stand_in)
    refusing = StandIn(Engine(Context("infer_shapes", NO_ROOM), {}))
    with pytest.raises(DeviceMemoryError):
        opened(monkeypatch, model, refusing).bind(INPUTS, LOGITS, STREAM)
    network = opened(monkeypatch, model, StandIn(Engine(Context("execute_async_v3", NO_ROOM), {})))
    network.bind(INPUTS, LOGITS, STREAM)
    with pytest.raises(DeviceMemoryError):
        network.enqueue(0)


@pytest.mark.parametrize("allowed", [False, True])
def test_only_a_version_compatible_plan_may_bring_its_runtime(
    monkeypatch: pytest.MonkeyPatch, gpu: list[Gpu], tmp_path: Path, allowed: bool
) -> None:
    record = record_of(version_compatible=allowed)
    model = open_plan(write_plan(tmp_path / "compatible.plan", record))
    stand_in = StandIn(Engine(Context(""), {}))
    opened(monkeypatch, model, stand_in)
    assert stand_in.host_code == [allowed]


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
    broken = StandIn(Engine(context, {}), RuntimeError("not an engine"), rtx=True)
    with pytest.raises(PlanRefusedError, match="not an engine"):
        opened(monkeypatch, model, broken)
