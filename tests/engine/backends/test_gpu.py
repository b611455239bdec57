"""Which network is taken on a GPU, and what happens to those that cannot be had."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from host_device import HostDevice
from host_gpu import host_gpu, stub_tensorrt

from smoothcert.engine.backends import gpu
from smoothcert.engine.backends.base import AUTO, PASSED_OVER, Backend, Compute, Rows
from smoothcert.engine.backends.device.torch_network import TorchDeviceNetwork
from smoothcert.engine.backends.first_batch import OverflowsError
from smoothcert.engine.backends.gpu import DEVICE_BACKENDS, open_on_gpu, rows_of, torch_device
from smoothcert.engine.backends.opening import open_backend
from smoothcert.engine.base.errors import DeviceMemoryError, InputError
from smoothcert.engine.models.model import Model, open_onnx
from smoothcert.engine.noise.lattice import LatticeGaussian

LAW = LatticeGaussian(0.25)


@pytest.fixture
def devices(monkeypatch: pytest.MonkeyPatch) -> list[HostDevice]:
    return host_gpu(monkeypatch)


@pytest.fixture
def opened_model(model: Path) -> Model:
    return open_onnx(model)


def opened(model: Model, **compute: Any) -> Backend:
    return open_on_gpu(model, LAW, 3, Compute(device="cuda:0", **compute), 0)


def votes(backend: Backend, count: int = 40) -> list[int]:
    image = np.random.default_rng(0).integers(0, 256, backend.spec.shape).astype(np.uint8)
    backend.place(0, 7, image)
    zeros = np.zeros(count, np.int32)
    ones = np.ones(count, np.uint32)
    backend.submit(Rows(zeros, np.arange(count, dtype=np.uint32), ones))
    found: list[int] = backend.collect().tolist()
    return found


def test_auto_takes_torch_where_there_is_no_tensorrt(
    devices: list[HostDevice], opened_model: Model
) -> None:
    backend = opened(opened_model, batch=40)
    described = backend.describe()
    assert described["runtime"].startswith("torch ")
    assert described[PASSED_OVER] == {"tensorrt": "TensorRT is not installed"}
    assert described["precision"] == "fp32"
    assert votes(backend) == votes(open_backend(opened_model, LAW, 3, Compute(batch=40)))
    assert devices[0].outside == {}


def failing(error: BaseException) -> Callable[..., Any]:
    def fail(*_: object, **__: object) -> Any:
        raise error

    return fail


@pytest.mark.parametrize(
    ("contents", "reason"), [({}, "cannot be loaded"), ({"__version__": "8.6.1"}, "too old")]
)
def test_a_tensorrt_that_cannot_be_had_is_an_error_only_where_it_was_asked_for(
    devices: list[HostDevice],
    opened_model: Model,
    monkeypatch: pytest.MonkeyPatch,
    contents: dict[str, Any],
    reason: str,
) -> None:
    """Every way to fail, up to the command line: tests/cli/test_certify_gpu.py."""
    stub_tensorrt(monkeypatch, **contents)
    assert reason in opened(opened_model, batch=8).describe()[PASSED_OVER]["tensorrt"]
    with pytest.raises(InputError, match=reason):
        opened(opened_model, backend="tensorrt", batch=8)


def unknown_operator(model: Path) -> Model:
    """The linear model with a node that torch does not take."""
    proto = onnx.load(str(model))
    (gemm,) = [node for node in proto.graph.node if node.op_type == "Gemm"]
    gemm.output[0] = "before"
    # ONNX Runtime's own operator: torch has none that is known to be the same.
    proto.graph.node.append(
        onnx.helper.make_node("BiasGelu", ["before", "zeros"], ["logits"], domain="com.microsoft")
    )
    proto.graph.initializer.append(onnx.numpy_helper.from_array(np.zeros(4, np.float32), "zeros"))
    proto.opset_import.append(onnx.helper.make_opsetid("com.microsoft", 1))
    path = model.with_name("odd.onnx")
    onnx.save(proto, str(path))
    return open_onnx(path)


def test_an_operator_that_torch_lacks_is_named_and_onnxruntime_taken(
    devices: list[HostDevice], model: Path
) -> None:
    odd = unknown_operator(model)
    described = opened(odd, batch=8).describe()
    assert described["runtime"].startswith("onnxruntime ")
    assert "BiasGelu" in described[PASSED_OVER]["torch"]
    with pytest.raises(InputError, match="BiasGelu"):
        opened(odd, backend="torch", batch=8)


def test_a_network_that_computes_something_else_is_not_taken(
    devices: list[HostDevice], opened_model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(opening: gpu.Opening, precision: str, batch: int | None) -> TorchDeviceNetwork:
        module = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(108, 4))
        return TorchDeviceNetwork(module, opening.model.spec, 4, 8, device="cpu")

    monkeypatch.setitem(gpu.OPENERS, "torch", wrong)
    described = opened(opened_model).describe()
    assert described["runtime"].startswith("onnxruntime ")
    assert "of their scale from ONNX Runtime's" in described[PASSED_OVER]["torch"]


@pytest.mark.parametrize("precision", ["fp32", "fp16", "bf16"])
def test_torch_runs_an_fp32_model_in_each_precision(
    devices: list[HostDevice], opened_model: Model, precision: str
) -> None:
    backend = opened(opened_model, precision=precision, batch=40)
    assert backend.describe()["precision"] == precision
    full = votes(open_backend(opened_model, LAW, 3, Compute(batch=40)))
    assert sum(a != b for a, b in zip(votes(backend), full, strict=True)) <= 4


def test_other_backends_run_a_model_in_its_own_precision(
    devices: list[HostDevice], opened_model: Model
) -> None:
    with pytest.raises(InputError, match="fp16 is not to be had of an fp32 model from onnxrun"):
        opened(opened_model, backend="onnxruntime", precision="fp16")


def huge(linear_model: Callable[..., Path], largest: float) -> Model:
    """A model whose logits go up to about `largest`."""
    rng = np.random.default_rng(0)
    weight = rng.uniform(0.5, 1, (4, 108)) * largest / 108
    return open_onnx(linear_model(weight, np.zeros(4), (3, 6, 6), name="huge.onnx"))


def test_half_precision_that_overflows_is_refused_or_left(
    devices: list[HostDevice], linear_model: Callable[..., Path]
) -> None:
    model = huge(linear_model, 3e5)
    with pytest.raises(OverflowsError, match=r"overflows in fp16: .* use --precision bf16 or fp32"):
        opened(model, precision="fp16", batch=8)
    described = opened(model, precision=AUTO, batch=8).describe()
    assert described["precision"] == "bf16"
    assert "overflows in fp16" in described[PASSED_OVER]["fp16"]
    assert opened(model, precision="fp32", batch=8).describe()["precision"] == "fp32"


def test_auto_takes_the_first_half_precision_that_holds(
    devices: list[HostDevice], opened_model: Model
) -> None:
    described = opened(opened_model, precision=AUTO, batch=8).describe()
    assert described["precision"] == "fp16"


def test_a_half_file_that_overflows_is_refused(
    devices: list[HostDevice], linear_model: Callable[..., Path], tmp_path: Path
) -> None:
    """Its precision is its own: another one would be another model."""
    proto = onnx.load(str(huge(linear_model, 3e5).path))
    for tensor in proto.graph.initializer:
        half = onnx.numpy_helper.to_array(tensor).astype(np.float16)
        tensor.CopyFrom(onnx.numpy_helper.from_array(half, tensor.name))
    for value in (*proto.graph.input, *proto.graph.output):
        value.type.tensor_type.elem_type = onnx.TensorProto.FLOAT16
    onnx.save(proto, str(tmp_path / "half.onnx"))
    half_model = open_onnx(tmp_path / "half.onnx")
    assert half_model.precision == "fp16"
    for backend in ("torch", "onnxruntime"):
        with pytest.raises(OverflowsError, match="of 8 noisy images: fp16 overflows; export it"):
            opened(half_model, backend=backend, batch=8)


def test_nothing_that_works_is_one_line_with_every_reason(
    devices: list[HostDevice], opened_model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("torch", "onnxruntime"):
        monkeypatch.setitem(gpu.OPENERS, name, failing(InputError(f"no {name} here")))
    with pytest.raises(InputError, match="nothing installed runs") as caught:
        opened(opened_model)
    for name in DEVICE_BACKENDS:
        assert f"{name}: " in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_batch_that_does_not_fit_is_halved_unless_it_was_asked_for(
    devices: list[HostDevice], opened_model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    allocate = HostDevice.allocate

    def small(self: HostDevice, shape: tuple[int, ...], dtype: Any) -> Any:
        if np.prod(shape) * np.dtype(dtype).itemsize > 300 * 108 * 4:
            raise DeviceMemoryError("the device has no room")
        return allocate(self, shape, dtype)

    monkeypatch.setattr(HostDevice, "allocate", small)
    backend = opened(opened_model)
    assert backend.batch_size == 256
    assert backend.describe()["runtime"].startswith("torch ")
    assert devices[0].released >= 3
    with pytest.raises(DeviceMemoryError, match="no room"):
        opened(opened_model, batch=512)


def test_runtime_errors_of_what_was_asked_for_are_one_line(
    devices: list[HostDevice], opened_model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(gpu.OPENERS, "torch", failing(RuntimeError("cuDNN\nis unhappy")))
    with pytest.raises(InputError, match=r"torch cannot run model .* on cuda:0 .cuDNN is unhappy."):
        opened(opened_model, backend="torch")


def test_a_reference_is_on_the_same_gpu(
    devices: list[HostDevice], opened_model: Model, linear_model: Callable[..., Path]
) -> None:
    rng = np.random.default_rng(5)
    weight = rng.normal(size=(4, 108))
    other = open_onnx(linear_model(weight, np.zeros(4), (3, 6, 6), name="other.onnx"))
    compute = Compute(device="cuda:0", precision="fp16", batch=16)
    described = open_backend(opened_model, LAW, 3, compute, reference=other).describe()
    assert (described["precision"], described["reference"]["precision"]) == ("fp16", "fp32")
    assert described["reference"]["runtime"].startswith("torch ")
    assert described["reference"]["device"] == described["device"]
    assert len(devices) == 2


@pytest.mark.parametrize("backend", ["openvino"])
def test_backends_of_a_cpu_are_refused(opened_model: Model, backend: str) -> None:
    with pytest.raises(InputError, match="runs on a CPU, not on cuda:0"):
        opened(opened_model, backend=backend)


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a torch without CUDA")
def test_torch_without_cuda_is_one_line() -> None:
    with pytest.raises(InputError, match="has no CUDA that works here: expected a build with it"):
        torch_device(0)


def test_rows_are_those_asked_for_the_models_or_a_rules(
    opened_model: Model, linear_model: Callable[..., Path]
) -> None:
    assert rows_of(opened_model, 24) == 24
    assert rows_of(opened_model, None) == 2048
    large = open_onnx(linear_model(np.ones((2, 150528)), np.zeros(2), (3, 224, 224), name="l.onnx"))
    assert (rows_of(large, None), rows_of(large, None, "fp16")) == (128, 256)
    fixed = open_onnx(linear_model(np.ones((4, 48)), np.zeros(4), (3, 4, 4), batch=6))
    assert rows_of(fixed, None) == rows_of(fixed, 6) == 6
    with pytest.raises(InputError, match="fixed at 6"):
        rows_of(fixed, 8)
