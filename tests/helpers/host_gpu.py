"""A machine whose "GPU" is the host: real networks on the CPU, our kernels by g++.

What a GPU backend decides, opens and checks is then executed for real, from the opener up to the
command line; only the libraries of a GPU are not.
"""

import sys
from types import ModuleType
from typing import Any, NoReturn

import pytest
from host_device import HostDevice

from smoothcert.engine.backends import gpu
from smoothcert.engine.backends.device.driver import Gpu
from smoothcert.engine.backends.device.onnxruntime_network import OnnxRuntimeDeviceNetwork
from smoothcert.engine.backends.tensorrt import build, module, network, store
from smoothcert.engine.base.errors import MissingPartError

GPU = Gpu(0, "NVIDIA H200", "sm90")


def host_gpu(monkeypatch: pytest.MonkeyPatch) -> list[HostDevice]:
    """Have every GPU opened be a HostDevice, which is added to the list returned."""
    devices: list[HostDevice] = []

    def open_runtime(index: int) -> HostDevice:
        devices.append(HostDevice("eager"))
        return devices[-1]

    def onnxruntime(opening: gpu.Opening, precision: str, batch: int | None) -> Any:
        model, tune = opening.model, opening.compute.tune
        gpu.own_precision(model, precision, "onnxruntime")
        rows = gpu.rows_of(model, batch, precision)
        return OnnxRuntimeDeviceNetwork(model, rows, None, tune=tune)

    for room in (gpu, build, network, store):
        monkeypatch.setattr(room, "require_gpu", lambda *_: GPU)
    for room in (build, network):
        monkeypatch.setattr(room, "use", lambda *_: None)
    monkeypatch.setattr(gpu, "open_runtime", open_runtime)
    monkeypatch.setattr(gpu, "torch_device", lambda index: "cpu")
    monkeypatch.setitem(gpu.OPENERS, "onnxruntime", onnxruntime)
    no_tensorrt(monkeypatch)
    return devices


def no_tensorrt(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if neither TensorRT were installed."""

    def missing() -> NoReturn:
        raise MissingPartError("TensorRT is not installed")

    monkeypatch.setattr(module, "default_runtime", missing)


def stub_tensorrt(monkeypatch: pytest.MonkeyPatch, stub: object = None, **contents: Any) -> None:
    """A package `tensorrt`: an object in its place, or a module of these contents alone."""
    stub = stub or ModuleType("tensorrt")
    for name, value in contents.items():
        setattr(stub, name, value)
    monkeypatch.setitem(sys.modules, "tensorrt", stub)
    monkeypatch.setattr(module, "default_runtime", lambda: "tensorrt")
