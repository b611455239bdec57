"""What `--device cuda` says on a machine without a GPU, and which backend it would take."""

import importlib.util
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest
import torch

from smoothcert.engine.backends import opening
from smoothcert.engine.backends.base import Compute
from smoothcert.engine.backends.device.cupy_runtime import CupyRuntime
from smoothcert.engine.backends.device.driver import gpus
from smoothcert.engine.backends.device.opening import open_runtime
from smoothcert.engine.backends.device.pycuda_runtime import PycudaRuntime
from smoothcert.engine.backends.opening import open_backend, rows_of
from smoothcert.engine.base.errors import InputError, MissingPartError
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
def test_auto_says_why_each_backend_cannot_be_had(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(*_: object) -> NoReturn:
        raise MissingPartError("not installed")

    monkeypatch.setattr(opening, "_tensorrt", absent)  # it may be, and then refuses the GPU
    with pytest.raises(InputError) as caught:
        opening.open_network(model, 0, "auto", 8)
    message = str(caught.value)
    for words in (
        "tensorrt: not installed",
        "onnxruntime: the installed onnxruntime",
        "torch: torch does not run the ONNX model",
    ):
        assert words in message
    assert "\n" not in message


@no_gpu
def test_torch_without_cuda_is_one_line(model: Model) -> None:
    with_checkpoint = replace(model, module=torch.nn.Flatten)
    with pytest.raises(InputError, match="has no CUDA: expected a build with it"):
        opening.open_network(with_checkpoint, 0, "torch", 8)


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


def test_rows_are_those_asked_for_the_models_or_a_rules(
    model: Model, linear_model: Callable[..., Path]
) -> None:
    assert rows_of(model, 24) == 24
    assert rows_of(model, None) == 2048
    fixed = open_onnx(linear_model(np.ones((4, 48)), np.zeros(4), (3, 4, 4), batch=6))
    assert rows_of(fixed, None) == rows_of(fixed, 6) == 6
    with pytest.raises(InputError, match="fixed at 6"):
        rows_of(fixed, 8)
