"""OpenVINO on real networks: one fixed function of a row, in the precision asked for."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("openvino")

from smoothcert.engine.backends.host.onnxruntime_network import OnnxRuntimeNetwork
from smoothcert.engine.backends.host.openvino_network import OpenVinoNetwork, arithmetic_of
from smoothcert.engine.base.cores import usable_cores
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.engine.base.machine import processor_flags
from smoothcert.engine.models.model import Model

ROWS = 48
HAS_BF16 = bool({"avx512_bf16", "amx_bf16"} & set(processor_flags()))
PRECISIONS = [
    "fp32",
    pytest.param(
        "bf16", marks=pytest.mark.skipif(not HAS_BF16, reason="this processor has no bf16")
    ),
]


def noisy_rows(model: Model) -> np.ndarray:
    rng = np.random.default_rng(3)
    return rng.normal(0.5, 0.5, (ROWS, model.spec.num_pixels)).astype(np.float32)


def logits(
    model: Model, inputs: np.ndarray, batch: int, precision: str, threads: int = 2
) -> np.ndarray:
    """The logits of all rows, `batch` at a time; a short batch is padded with stale rows."""
    network = OpenVinoNetwork(model, batch, precision, threads)
    found = []
    for start in range(0, len(inputs), batch):
        part = inputs[start : start + batch]
        network.inputs[: len(part)] = part
        found.append(network.run()[: len(part)].copy())
    return np.concatenate(found)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("name", ["demo", "resnet20"])
def test_logits_depend_on_the_row_alone(
    networks: dict[str, Model], name: str, precision: str
) -> None:
    """Bit for bit: not on the batch size, the place in it, the padding or the threads."""
    model = networks[name]
    inputs = noisy_rows(model)
    expected = logits(model, inputs, ROWS, precision)
    assert len({row.tobytes() for row in expected}) == ROWS
    order = np.random.default_rng(5).permutation(ROWS)
    for batch, threads in ((1, 2), (7, 2), (32, 2), (64, 2), (ROWS, 1), (32, 3)):
        found = logits(model, inputs[order], batch, precision, threads)
        assert np.array_equal(found, expected[order]), (batch, threads)


@pytest.mark.parametrize("name", ["demo", "resnet20"])
def test_fp32_is_float32_and_bf16_is_not(networks: dict[str, Model], name: str) -> None:
    """Float32 has rounding errors of about 1e-6 of the logits' scale, bfloat16 of about 1e-2: the
    runtime's own default would be bfloat16 on a processor that has it."""
    model = networks[name]
    inputs = noisy_rows(model)
    other = OnnxRuntimeNetwork(model, ROWS)
    other.inputs[:] = inputs
    reference = other.run()
    scale = np.abs(reference).max()
    assert np.abs(logits(model, inputs, ROWS, "fp32") - reference).max() < 1e-4 * scale
    if HAS_BF16:
        difference = np.abs(logits(model, inputs, ROWS, "bf16") - reference).max()
        assert 1e-3 * scale < difference < 0.1 * scale


def test_arithmetic_follows_the_precision_and_the_processor() -> None:
    assert arithmetic_of("fp32", ["avx512_bf16", "amx_bf16"]) == "f32"
    assert arithmetic_of("int8", ["avx512_bf16", "avx512_vnni"]) == "f32"
    assert arithmetic_of("bf16", ["amx_bf16"]) == "bf16"
    assert arithmetic_of("fp16", ["avx512_bf16"]) == "f32"
    assert arithmetic_of("fp16", ["avx512_fp16"]) == "f16"
    with pytest.raises(InputError, match="bf16 needs avx512_bf16 or amx_bf16, and this processor"):
        arithmetic_of("bf16", ["avx2", "avx512f"])


def test_a_model_that_it_cannot_run_is_refused(tmp_path: Path, networks: dict[str, Model]) -> None:
    from dataclasses import replace

    broken = tmp_path / "broken.onnx"
    broken.write_bytes(networks["demo"].path.read_bytes()[:1000])
    with pytest.raises(InputError, match="no model that OpenVINO can run"):
        OpenVinoNetwork(replace(networks["demo"], path=broken), 8)


def test_it_says_what_it_is(networks: dict[str, Model]) -> None:
    import openvino

    described = OpenVinoNetwork(networks["demo"], 8, "fp32", 1).describe()
    assert described["precision"] == "fp32"
    assert described["threads"] == 1
    assert openvino.__version__.startswith(described["runtime"].removeprefix("openvino ") + "-")


_SIGNALLED = """
import os, signal, sys
from pathlib import Path
from smoothcert.engine.backends.host.openvino_network import OpenVinoNetwork
from smoothcert.engine.models.model import open_onnx

heard = []
signal.signal(signal.SIGUSR1, lambda *unused: heard.append(True))
model = open_onnx(Path(sys.argv[1]))
one = OpenVinoNetwork(model, 4)
two = OpenVinoNetwork(model, 8)
del one
del two
os.kill(os.getpid(), signal.SIGUSR1)
print(heard)
"""


def test_signals_are_heard_after_networks_have_come_and_gone(networks: dict[str, Model]) -> None:
    """As an interruption is, after the choice of a batch size."""
    done = subprocess.run(
        [sys.executable, "-c", _SIGNALLED, networks["demo"].path],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stdout.strip()) == (0, "[True]"), done.stderr


_AFFINITIES = """
import contextlib, os, sys, threading, time
from pathlib import Path
from smoothcert.engine.backends.host.openvino_network import OpenVinoNetwork
from smoothcert.engine.models.model import open_onnx

network = OpenVinoNetwork(open_onnx(Path(sys.argv[1])), 256, threads=1)
end, cores = time.monotonic() + 1.0, set()

def work():
    while time.monotonic() < end:
        network.run()

worker = threading.Thread(target=work)
worker.start()
while worker.is_alive():
    for task in os.listdir("/proc/self/task"):
        with contextlib.suppress(ProcessLookupError):
            cores.add(len(os.sched_getaffinity(int(task))))
print(*cores)
"""


@pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity") or usable_cores() < 2, reason="needs Linux and two cores"
)
def test_threads_are_pinned_to_no_core(networks: dict[str, Model]) -> None:
    """Two workers of a machine would pin theirs to the same one."""
    done = subprocess.run(
        [sys.executable, "-c", _AFFINITIES, networks["demo"].path],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert done.stdout.split() == [str(len(os.sched_getaffinity(0)))]


@pytest.mark.parametrize("kind", ["FLOAT16", "BFLOAT16"])
def test_a_half_model_takes_float32_inputs(linear_model: Callable[..., Path], kind: str) -> None:
    """Weights, input and logits of another type. bf16 rounds its input once, nearest, ties to
    even; a processor without float16 arithmetic runs an fp16 model's weights in float32."""
    import onnx

    precision = {"FLOAT16": "fp16", "BFLOAT16": "bf16"}[kind]
    if precision == "bf16" and not HAS_BF16:
        pytest.skip("this processor has no bf16")
    weight = np.eye(2, 3)
    path = linear_model(weight, np.zeros(2), (3, 1, 1))
    proto = onnx.load(str(path))
    element = getattr(onnx.TensorProto, kind)
    for value in (*proto.graph.input, *proto.graph.output):
        value.type.tensor_type.elem_type = element
    dtype = onnx.helper.tensor_dtype_to_np_dtype(element)
    for tensor in proto.graph.initializer:
        values = onnx.numpy_helper.to_array(tensor).astype(dtype)
        tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))
    onnx.save(proto, str(path))
    model = Model(path, "", InputSpec(3, 1, 1), 2, "N", {"precision": precision})
    network = OpenVinoNetwork(model, 2, precision)
    exact = np.array([[1 + 2.0**-8, 1 + 3 * 2.0**-8], [0.1, -0.3]], np.float32)
    network.inputs[:, :2] = exact
    found = network.run()
    assert found.dtype == np.float32
    if precision == "bf16":
        assert found[0].tolist() == [1.0, 1 + 2.0**-6]
    if precision == "bf16" or arithmetic_of("fp16", processor_flags()) == "f16":
        exact = exact.astype(dtype).astype(np.float32)
    assert np.array_equal(found, exact)
