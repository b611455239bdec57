"""What `--device cuda` says on a machine without a GPU, and which backend it would take."""

import importlib.util
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from smoothcert.engine.backends.base import AUTO, Compute
from smoothcert.engine.backends.device.cupy_runtime import CupyRuntime
from smoothcert.engine.backends.device.driver import gpus
from smoothcert.engine.backends.device.opening import open_runtime
from smoothcert.engine.backends.device.pycuda_runtime import PycudaRuntime
from smoothcert.engine.backends.opening import open_backend
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.models.model import Model, open_onnx
from smoothcert.engine.noise.lattice import LatticeGaussian

LAW = LatticeGaussian(0.5)
no_gpu = pytest.mark.skipif(bool(gpus()), reason="needs a machine without a GPU")


@pytest.fixture
def model(linear_model: Callable[..., Path]) -> Model:
    return open_onnx(linear_model(np.ones((4, 48)), np.zeros(4), (3, 4, 4)))


@pytest.mark.parametrize("device", ["tpu", "cuda:x", "cuda:-1", "gpu", "cuda:0,cuda:1"])
def test_unknown_devices_are_named(model: Model, device: str) -> None:
    with pytest.raises(InputError, match=f"device '{device}' is unknown: expected cpu, cuda:0"):
        open_backend(model, LAW, 0, Compute(device=device))


@no_gpu
@pytest.mark.parametrize("backend", ["auto", "tensorrt", "onnxruntime", "torch"])
def test_no_gpu_is_one_line(model: Model, backend: str) -> None:
    with pytest.raises(InputError) as caught:
        open_backend(model, LAW, 0, Compute(backend=backend, device="cuda:0"))
    assert "needs an NVIDIA GPU and its driver, and this machine shows none" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("backend", ["tensorrt", "torch"])
def test_gpu_backends_are_refused_on_a_cpu(model: Model, backend: str) -> None:
    with pytest.raises(InputError, match="expected --device cuda:0 with it"):
        open_backend(model, LAW, 0, Compute(backend=backend))


@no_gpu
@pytest.mark.parametrize(
    ("runtime", "module", "extra"),
    [
        (lambda: CupyRuntime(0), "cupy", "gpu"),
        (lambda: PycudaRuntime(0), "pycuda", "pycuda"),
        (lambda: open_runtime(0), "cupy", "gpu"),
    ],
)
def test_runtimes_name_what_is_missing(
    runtime: Callable[[], object], module: str, extra: str
) -> None:
    with pytest.raises(InputError) as caught:
        runtime()
    installed = importlib.util.find_spec(module) is not None
    expected = "an NVIDIA GPU and its driver" if installed else f"pip install 'smoothcert[{extra}]'"
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_tune_is_of_a_gpu(model: Model) -> None:
    with pytest.raises(InputError, match="tune is of a GPU's networks: expected --device cuda:0"):
        open_backend(model, LAW, 0, Compute(tune=True))


def test_auto_precision_on_a_cpu_is_the_models_own(model: Model) -> None:
    backend = open_backend(model, LAW, 0, Compute(precision=AUTO, batch=4))
    assert backend.describe()["precision"] == "fp32"
    with pytest.raises(InputError, match="fp16 is no precision to run an fp32 model in on a CPU"):
        open_backend(model, LAW, 0, Compute(precision="fp16"))
