"""ONNX Runtime as a device network, on host memory: real sessions of the providers that a build
without CUDA has."""

import gc
import json
import weakref
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from host_device import HostDevice
from onnx import TensorProto, helper

from smoothcert.engine.backends.base import Rows
from smoothcert.engine.backends.device import onnxruntime_network
from smoothcert.engine.backends.device.backend import DeviceBackend
from smoothcert.engine.backends.device.onnxruntime_network import OnnxRuntimeDeviceNetwork
from smoothcert.engine.backends.device.onnxruntime_session import (
    BoundSession,
    check_stream,
    no_room,
)
from smoothcert.engine.base.errors import DeviceMemoryError, DeviceUnavailableError, InputError
from smoothcert.engine.models.model import Model, open_onnx
from smoothcert.engine.noise.lattice import LatticeGaussian

SHAPE = (3, 4, 4)
OTHER = "AzureExecutionProvider"
"""A provider that takes no node of ours, as a GPU's may take some not."""

has_other = pytest.mark.skipif(
    OTHER not in onnxruntime.get_available_providers(), reason=f"this build has no {OTHER}"
)


@pytest.fixture
def model(linear_model: Callable[..., Path]) -> Model:
    rng = np.random.default_rng(0)
    return open_onnx(linear_model(rng.normal(size=(5, 48)), rng.normal(size=5), SHAPE))


def backend_of(network: OnnxRuntimeDeviceNetwork) -> DeviceBackend:
    return DeviceBackend(HostDevice("eager"), network, LatticeGaussian(0.5), 9)


def votes(network: OnnxRuntimeDeviceNetwork) -> list[int]:
    backend = backend_of(network)
    backend.place(0, 7, np.random.default_rng(2).integers(0, 256, SHAPE).astype(np.uint8))
    count = network.batch_size
    slots, samples = np.zeros(count, np.int32), np.arange(count, dtype=np.uint32)
    backend.submit(Rows(slots, samples, np.ones(count, np.uint32)))
    found: list[int] = backend.collect().tolist()
    return found


@has_other
def test_nodes_that_the_provider_leaves_to_the_cpu_are_counted(model: Model) -> None:
    operators = [node.op_type for node in onnx.load(model.path).graph.node]
    session = BoundSession(onnxruntime, model, 8, (OTHER, {}), {})
    assert session.nodes_on_cpu is not None
    assert set(session.nodes_on_cpu) <= {*operators, "Gemm"}  # which MatMul and Add become
    assert sum(session.nodes_on_cpu.values()) >= 1


@has_other
def test_a_network_in_part_on_the_cpu_is_not_recorded_and_says_so(
    model: Model, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    whole = OnnxRuntimeDeviceNetwork(model, 16, device=None)
    expected = votes(whole)
    assert whole.capturable
    assert "nodes_on_cpu" not in whole.describe()
    monkeypatch.setattr(onnxruntime_network, "CPU_PROVIDER", OTHER)
    network = OnnxRuntimeDeviceNetwork(model, 16, device=None)
    assert votes(network) == expected
    assert not network.capturable
    assert network.describe()["nodes_on_cpu"]
    json.dumps(network.describe())
    launches = backend_of(network).describe()["launches"]
    assert launches == "one by one: the network cannot be recorded into a graph"
    assert capfd.readouterr().err == ""


def test_a_provider_that_is_not_there_is_not_replaced_by_the_cpu(model: Model) -> None:
    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this build has CUDA")
    with (
        pytest.warns(UserWarning, match="not in available provider names"),
        pytest.raises(DeviceUnavailableError, match="could not load its CUDA provider"),
    ):
        BoundSession(onnxruntime, model, 8, ("CUDAExecutionProvider", {}), {})


def test_a_session_on_another_stream_is_refused() -> None:
    check_stream({"user_compute_stream": "94", "has_user_compute_stream": "1"}, 94)
    check_stream({}, 94)  # a version that says nothing
    check_stream({"user_compute_stream": "0x5e"}, 94)  # or says it otherwise
    for settings, words in (
        ({"user_compute_stream": "95", "has_user_compute_stream": "1"}, "on stream 95, not on 94"),
        ({"user_compute_stream": "0", "has_user_compute_stream": "0"}, "on stream 0, not on 94"),
        ({"has_user_compute_stream": "0"}, "on stream of its own, not on 94"),
    ):
        with pytest.raises(InputError, match=words):
            check_stream(settings, 94)


@pytest.mark.parametrize(
    "error",
    [
        "[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : Exception during initialization: "
        "bfc_arena.cc:376 void* onnxruntime::BFCArena::AllocateRawInternal(size_t, bool) Failed to "
        "allocate memory for requested buffer of size 17179869184",
        "CUDA failure 2: out of memory ; GPU=0 ; hostname=x ; expr=cudaMalloc((void**)&p, size);",
        "CUDNN failure 4001: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED ; GPU=0",
        "CUBLAS failure 3: CUBLAS_STATUS_ALLOC_FAILED ; GPU=0 ; hostname=x",
    ],
)
def test_what_means_out_of_memory(error: str) -> None:
    message = str(no_room(Exception(error), 64))
    assert message.startswith("the device has no room for a batch of 64 (")
    assert message.endswith("expected a smaller --batch")


def test_what_does_not() -> None:
    assert no_room(Exception("CUDA failure 700: an illegal memory access"), 64) is None
    assert no_room(Exception("CUDA failure 209: no kernel image is available"), 64) is None


def test_out_of_memory_in_a_run_is_one_line(tmp_path: Path) -> None:
    """More than a process can address: ONNX Runtime's own words."""
    graph = helper.make_graph(
        [
            helper.make_node("Flatten", ["input"], ["flat"]),
            helper.make_node("MatMul", ["flat", "weight"], ["small"]),
            helper.make_node("ReduceMax", ["input"], ["one"], keepdims=0),
            helper.make_node("Expand", ["one", "size"], ["huge"]),
            helper.make_node("ReduceMax", ["huge"], ["most"], keepdims=0),
            helper.make_node("Add", ["small", "most"], ["logits"]),
        ],
        "huge",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["N", *SHAPE])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", 5])],
        [
            onnx.numpy_helper.from_array(np.ones((48, 5), np.float32), "weight"),
            onnx.numpy_helper.from_array(np.array([2**45], np.int64), "size"),
        ],
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(proto, tmp_path / "huge.onnx")
    network = OnnxRuntimeDeviceNetwork(open_onnx(tmp_path / "huge.onnx"), 4, device=None)
    inputs, logits = np.zeros((4, 48), np.float32), np.zeros((4, 5), np.float32)
    network.bind([inputs.ctypes.data], logits.ctypes.data, 0)
    with pytest.raises(DeviceMemoryError, match="no room for a batch of 4") as caught:
        network.enqueue(0)
    assert "\n" not in str(caught.value)


def test_tuning_measures_every_setting_and_changes_no_vote(model: Model) -> None:
    plain = OnnxRuntimeDeviceNetwork(model, 16, device=None)
    tuned = OnnxRuntimeDeviceNetwork(model, 16, device=None, tune=True)
    assert votes(tuned) == votes(plain)
    described = tuned.describe()
    assert set(described["rows_per_second"]) == {"spinning", "sleeping"}
    assert described["took"] in described["rows_per_second"]
    assert "tuned" not in plain.describe()


def test_settings_of_a_gpu_are_tried_in_all_combinations() -> None:
    variants = onnxruntime_network._variants(on_gpu=True)
    assert len(variants) == len({tuple(sorted(v.items())) for v in variants.values()}) == 8
    assert variants["heuristic"] == {"cudnn_conv_algo_search": "HEURISTIC"}
    assert variants["exhaustive nhwc fused bias"] == {
        "cudnn_conv_algo_search": "EXHAUSTIVE",
        "prefer_nhwc": "1",
        "fuse_conv_bias": "1",
    }


def test_a_closed_network_holds_no_session(model: Model) -> None:
    network = OnnxRuntimeDeviceNetwork(model, 4, device=None)
    inputs, logits = np.zeros((4, 48), np.float32), np.zeros((4, 5), np.float32)
    network.bind([inputs.ctypes.data], logits.ctypes.data, 0)
    network.enqueue(0)
    assert logits.any()
    session = weakref.ref(network._session)
    network.close()
    network.close()
    gc.collect()
    assert session() is None
