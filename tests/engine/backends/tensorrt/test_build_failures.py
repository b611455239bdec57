"""Builds of full TensorRT that fail, one call after the other, against a stand-in for the builder.

Networks, parser and settings are real ones, of TensorRT for RTX; what a GPU is needed for answers
as the bindings say that it does where it fails.
"""

import gc
import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tensorrt_stand_in import StandIn

from smoothcert.engine.backends.device.driver import Gpu
from smoothcert.engine.backends.tensorrt import build
from smoothcert.engine.backends.tensorrt.build import build_plan
from smoothcert.engine.backends.tensorrt.module import TensorRT
from smoothcert.engine.backends.tensorrt.options import BuildOptions
from smoothcert.engine.backends.tensorrt.plan import read_record
from smoothcert.engine.base.errors import DeviceMemoryError, DeviceUnavailableError, InputError

trt = pytest.importorskip("tensorrt_rtx", reason="the extra tensorrt-rtx is not installed")

pytestmark = pytest.mark.filterwarnings("ignore:.*Timing cache operations:DeprecationWarning")

H200 = Gpu(0, "NVIDIA H200", "sm90")
NO_ROOM = "[defaultAllocator.cpp::allocate::31] Error Code 1: Cuda Runtime (out of memory)"


@pytest.fixture
def onnx(linear_model: Any) -> Path:
    weights = np.ones((4, 12), np.float32), np.zeros(4, np.float32)
    path = linear_model(*weights, (3, 2, 2))
    assert isinstance(path, Path)
    return path


@pytest.fixture
def used(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A machine with an H200, as far as the driver's answers go; the threads that used it."""
    threads: list[int] = []
    monkeypatch.setattr(build, "require_gpu", lambda index, purpose: H200)
    monkeypatch.setattr(build, "use", lambda gpu: threads.append(threading.get_ident()))
    return threads


def built(
    monkeypatch: pytest.MonkeyPatch,
    onnx: Path,
    stand_in: StandIn,
    version: str = "10.16.1.11",
    **options: Any,
) -> Path:
    module = TensorRT("tensorrt", version, stand_in)
    monkeypatch.setattr(build, "load_tensorrt", lambda name, purpose: module)
    output = onnx.with_name("x.plan")
    build_plan(onnx, output, BuildOptions(batch=2, **options))
    return output


def test_a_build_on_another_thread_leaves_the_callers_device_alone(
    monkeypatch: pytest.MonkeyPatch, onnx: Path, used: list[int]
) -> None:
    stand_in = StandIn()
    record = read_record(built(monkeypatch, onnx, stand_in))
    assert (record.version, record.gpu, record.batch) == ("10.16.1.11", H200.name, 2)
    assert record.build["fused_layers"] == 3
    assert used == stand_in.threads
    assert used != [threading.get_ident()]


@pytest.mark.parametrize(("version", "flags"), [("10.13.2.6", 1 << 0), ("11.4.0.106", 0)])
def test_networks_of_10_are_told_to_be_strongly_typed(
    monkeypatch: pytest.MonkeyPatch, onnx: Path, used: list[int], version: str, flags: int
) -> None:
    """The flag's value here is that of TensorRT for RTX; of 10's own: test_bindings.py."""
    stand_in = StandIn()
    built(monkeypatch, onnx, stand_in, version)
    assert stand_in.flags == [flags]


@pytest.mark.parametrize("allowed", [False, True])
def test_a_version_compatible_plan_may_bring_its_runtime(
    monkeypatch: pytest.MonkeyPatch, onnx: Path, used: list[int], allowed: bool
) -> None:
    stand_in = StandIn()
    built(monkeypatch, onnx, stand_in, version_compatible=allowed)
    assert stand_in.host_code == [allowed]


NULLPTR = TypeError("pybind11::init(): factory function returned nullptr")


@pytest.mark.parametrize(
    ("name", "how", "said", "reason"),
    [
        ("Builder", NULLPTR, "", "10.16.1.11 does not start here .*returned nullptr"),
        ("Builder", NULLPTR, "CUDA failure 35", r"does not start here \(CUDA failure 35\)"),
        ("create_network", None, "no flags", "cannot be built: no flags"),
        ("create_builder_config", None, "", "cannot be built: it gave no reason"),
        ("OnnxParser", NULLPTR, "", "cannot be parsed by TensorRT: .*nullptr"),
        ("build_serialized_network", None, "no kernel", "cannot be built: no kernel"),
        ("build_serialized_network", RuntimeError("two\nlines"), "", "cannot be built: two lines"),
        ("build_serialized_network", MemoryError("std::bad_alloc"), "", "built: std::bad_alloc"),
        ("Runtime", NULLPTR, "", "does not start here"),
        ("deserialize_cuda_engine", None, "a bad tag", "cannot be loaded: a bad tag"),
        ("deserialize_cuda_engine", RuntimeError("broken"), "", "cannot be loaded: broken"),
    ],
)
def test_every_call_that_fails_is_one_line(
    monkeypatch: pytest.MonkeyPatch,
    onnx: Path,
    used: list[int],
    name: str,
    how: Any,
    said: str,
    reason: str,
) -> None:
    with pytest.raises(InputError, match=reason) as caught:
        built(monkeypatch, onnx, StandIn(name, how, said))
    assert "\n" not in str(caught.value)
    assert not isinstance(caught.value, DeviceMemoryError)
    assert isinstance(caught.value, DeviceUnavailableError) == (name in ("Builder", "Runtime"))
    assert not list(onnx.parent.glob("x.plan*"))


@pytest.mark.parametrize(
    "name", ["Builder", "build_serialized_network", "Runtime", "deserialize_cuda_engine"]
)
def test_too_little_memory_is_told_apart(
    monkeypatch: pytest.MonkeyPatch, onnx: Path, used: list[int], name: str
) -> None:
    for how, said in ((None, NO_ROOM), (RuntimeError("Error Code 2: OutOfMemory"), "")):
        with pytest.raises(DeviceMemoryError, match="expected a smaller --batch"):
            built(monkeypatch, onnx, StandIn(name, how, said))


def test_a_failed_build_frees_its_builder(
    monkeypatch: pytest.MonkeyPatch, onnx: Path, used: list[int]
) -> None:
    """Not at some later collection: it holds memory that a smaller batch may need."""
    stand_in = StandIn("build_serialized_network", RuntimeError("broken"))
    gc.disable()
    try:
        with pytest.raises(InputError):
            built(monkeypatch, onnx, stand_in)
        assert [builder() for builder in stand_in.builders] == [None]
    finally:
        gc.enable()


def test_a_build_goes_on_without_a_cache_for_its_timings(
    monkeypatch: pytest.MonkeyPatch, onnx: Path, used: list[int]
) -> None:
    stand_in = StandIn()
    built(monkeypatch, onnx, stand_in)
    assert stand_in.cached
    cache = onnx.with_name("others")
    (cache / "engines").mkdir(parents=True)
    (cache / "engines").chmod(0o777)
    monkeypatch.setenv("SMOOTHCERT_CACHE", str(cache))
    stand_in = StandIn()
    built(monkeypatch, onnx, stand_in)
    assert stand_in.cached is False


def test_a_plan_that_cannot_be_written_is_one_line(
    monkeypatch: pytest.MonkeyPatch, onnx: Path, used: list[int]
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(build, "write_atomically", full)
    with pytest.raises(InputError, match=r"x\.plan cannot be written \(No space left on device\)"):
        built(monkeypatch, onnx, StandIn())
