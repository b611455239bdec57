"""The networks of the device backend, on host memory: real ONNX Runtime and PyTorch on the CPU."""

import ctypes
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from host_device import HostDevice
from onnx import TensorProto, helper

from smoothcert.engine.backends.base import Backend, Compute, Rows
from smoothcert.engine.backends.device.backend import DeviceBackend
from smoothcert.engine.backends.device.network import (
    CapturingNetwork,
    DeviceNetwork,
    input_elements,
)
from smoothcert.engine.backends.device.onnxruntime_network import OnnxRuntimeDeviceNetwork
from smoothcert.engine.backends.device.torch_network import TorchDeviceNetwork, tensor_at
from smoothcert.engine.backends.opening import open_backend
from smoothcert.engine.backends.torch_graph.variants import Recipe
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.engine.models.model import Model, open_onnx
from smoothcert.engine.noise.lattice import LatticeGaussian
from smoothcert.export.checkpoint import read_checkpoint
from smoothcert.export.opening import open_model

torch = pytest.importorskip("torch")

SHAPE = (3, 6, 6)
LAW = LatticeGaussian(0.5)
DATA = Path(__file__).parents[4] / "data"


@pytest.fixture
def model(linear_model: Callable[..., Path]) -> Model:
    rng = np.random.default_rng(0)
    return open_onnx(linear_model(rng.normal(size=(5, 108)), rng.normal(size=5), SHAPE))


def module_of(model: Model) -> Any:
    """The linear model in torch, in float64 cast to float32 weights as the file has them."""
    tensors = {
        t.name: onnx.numpy_helper.to_array(t) for t in onnx.load(model.path).graph.initializer
    }
    linear = torch.nn.Linear(108, 5)
    with torch.no_grad():
        linear.weight.copy_(torch.from_numpy(tensors["weight"].copy()))
        linear.bias.copy_(torch.from_numpy(tensors["bias"].copy()))
    return torch.nn.Sequential(torch.nn.Flatten(), linear)


def votes(backend: Backend, count: int = 50) -> list[int]:
    rng = np.random.default_rng(2)
    for slot in range(3):
        backend.place(slot, 100 + slot, rng.integers(0, 256, SHAPE).astype(np.uint8))
    slots = (np.arange(count) % 3).astype(np.int32)
    samples, purposes = np.arange(count, dtype=np.uint32), np.ones(count, np.uint32)
    backend.submit(Rows(slots, samples, purposes))
    found: list[int] = backend.collect().tolist()
    return found


def device_votes(network: DeviceNetwork) -> list[int]:
    """On a device that does everything at once, since these networks on a CPU do."""
    return votes(DeviceBackend(HostDevice("eager"), network, LAW, 9, graph=False))


@pytest.mark.parametrize("batch", [50, 64])
def test_onnxruntime_votes_as_on_the_host(model: Model, batch: int) -> None:
    network = OnnxRuntimeDeviceNetwork(model, batch, device=None)
    assert device_votes(network) == votes(
        open_backend(model, LAW, 9, Compute(backend="onnxruntime", batch=50))
    )
    assert network.describe()["runtime"].startswith("onnxruntime ")


def test_onnxruntime_on_half_inputs(tmp_path: Path) -> None:
    """A float16 model, read and written in the buffers as they are."""
    rng = np.random.default_rng(0)
    graph = helper.make_graph(
        [
            helper.make_node("Flatten", ["input"], ["flat"]),
            helper.make_node("MatMul", ["flat", "weight"], ["logits"]),
        ],
        "half",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT16, ["N", *SHAPE])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT16, ["N", 5])],
        [onnx.numpy_helper.from_array(rng.normal(size=(108, 5)).astype(np.float16), "weight")],
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(proto, tmp_path / "half.onnx")
    half = open_onnx(tmp_path / "half.onnx")
    network = OnnxRuntimeDeviceNetwork(half, 50, device=None)
    assert (network.input_scalar, network.logits_scalar) == ("float16", "float16")
    assert network.describe()["precision"] == half.precision == "fp16"
    assert device_votes(network) == votes(
        open_backend(half, LAW, 9, Compute(backend="onnxruntime", batch=50))
    )


def test_onnxruntime_without_cuda_is_one_line(model: Model) -> None:
    with pytest.raises(InputError, match="has no CUDA provider: expected onnxruntime-gpu"):
        OnnxRuntimeDeviceNetwork(model, 50, device=0)


@pytest.mark.parametrize("channels_last", [False, True])
def test_torch_votes_as_onnxruntime(model: Model, channels_last: bool) -> None:
    network = TorchDeviceNetwork(
        module_of(model), model.spec, 5, 60, channels_last=channels_last, device="cpu"
    )
    assert network.input_layout == ("nhwc3" if channels_last else "nchw")
    assert device_votes(network) == votes(
        open_backend(model, LAW, 9, Compute(backend="onnxruntime", batch=50))
    )


@pytest.mark.parametrize("scalar", ["float16", "bfloat16"])
def test_torch_in_half_precision_leaves_the_module_alone(model: Model, scalar: str) -> None:
    module = module_of(model)
    half = Recipe(module, scalar, torch.device("cpu")).eager()
    network = TorchDeviceNetwork(
        half, model.spec, 5, 50, scalar=scalar, channels_last=True, device="cpu"
    )
    assert {p.dtype for p in module.parameters()} == {torch.float32}
    full = votes(open_backend(model, LAW, 9, Compute(backend="onnxruntime", batch=50)))
    assert sum(a != b for a, b in zip(device_votes(network), full, strict=True)) <= 4
    assert isinstance(network, CapturingNetwork)
    assert network.describe()["precision"] == {"float16": "fp16", "bfloat16": "bf16"}[scalar]


def test_torch_records_graphs_on_a_gpu_only(model: Model) -> None:
    network = TorchDeviceNetwork(module_of(model), model.spec, 5, 8, device="cpu")
    backend = DeviceBackend(HostDevice("eager"), network, LAW, 9)
    assert "torch records graphs on a CUDA device only" in backend.describe()["launches"]


@pytest.mark.parametrize(
    "module", [torch.nn.Flatten(), torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(108, 4))]
)
def test_an_output_that_is_no_logits_is_refused(module: Any) -> None:
    network = TorchDeviceNetwork(module, InputSpec(*SHAPE), 5, 8, device="cpu")
    with pytest.raises(InputError, match="check num_classes"):
        DeviceBackend(HostDevice("eager"), network, LAW, 9)


def test_a_tensor_looks_at_memory_without_a_copy() -> None:
    numbers = np.arange(12, dtype=np.float32)
    tensor = tensor_at(numbers.ctypes.data, (3, 4), "float32", torch.device("cpu"))
    numbers[5] = 70
    assert tensor[1, 1] == 70
    assert tensor.data_ptr() == numbers.ctypes.data
    half = (ctypes.c_uint16 * 2)(0x3F80, 0xC000)
    pair = tensor_at(ctypes.addressof(half), (2,), "bfloat16", torch.device("cpu"))
    assert pair.tolist() == [1.0, -2.0]


@pytest.mark.parametrize(
    ("layout", "channels"), [("nchw", 3), ("nhwc3", 3), ("nhwc3_pad4", 4), ("nhwc3_pad8", 8)]
)
def test_input_elements_count_padding(model: Model, layout: str, channels: int) -> None:
    network = TorchDeviceNetwork(module_of(model), model.spec, 5, 8, device="cpu")
    network.input_layout = layout
    assert input_elements(network) == 8 * channels * 36


def test_a_checkpoint_makes_its_module_for_torch_in_other_processes_too() -> None:
    path = DATA / "fashion_mnist_sigma25.pth"
    opened = pickle.loads(pickle.dumps(open_model(path)))
    saved = read_checkpoint(path).state
    weights = {name.removeprefix("1."): value for name, value in saved.items()}
    made = opened.module().state_dict()
    assert made.keys() == weights.keys()
    assert all(torch.equal(made[name], weights[name]) for name in weights)
    assert open_onnx(opened.path).module is None
