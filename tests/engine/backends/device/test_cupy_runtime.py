"""The runtime of CuPy on machines that lack something: real CuPy, and a driver's library that is
small. CuPy imports without a GPU."""

import json
import sys
from pathlib import Path

import pytest
from host_driver import CONTEXTS, run_with_driver

from smoothcert.cupy_kernels import loader
from smoothcert.engine.backends.device.cupy_runtime import (
    CupyRuntime,
    is_out_of_memory,
    load_cupy,
)
from smoothcert.engine.backends.device.driver import gpus
from smoothcert.engine.base.errors import DeviceUnavailableError

cupy = pytest.importorskip("cupy", reason="needs CuPy, which imports without a GPU")

OPEN = """
from smoothcert.engine.backends.device.cupy_runtime import CupyRuntime
from smoothcert.engine.base.errors import DeviceUnavailableError
try:
    CupyRuntime(1)
except DeviceUnavailableError as error:
    print(error, current())
"""


def test_a_driver_too_old_is_named_and_what_to_do(tmp_path: Path) -> None:
    told = run_with_driver(tmp_path, OPEN, version=12040)
    major = cupy.cuda.runtime.runtimeGetVersion() // 1000
    assert told.startswith("device cuda:1 cannot be used: its driver runs CUDA 12.4, and CuPy ")
    assert f"is built for CUDA {major}: expected a newer driver" in told
    assert ("'smoothcert[gpu-cuda12]'" in told) == (major > 12)
    assert told.endswith(" None\n")
    assert told.count("\n") == 1


def test_without_a_gpu_it_is_the_driver_that_is_missed() -> None:
    if gpus():
        pytest.skip("this machine has a GPU")
    with pytest.raises(DeviceUnavailableError, match="needs an NVIDIA GPU and its driver"):
        CupyRuntime(0)


def test_a_cupy_that_cannot_be_imported_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CuPy wraps the cause in a page of advice: the cause is what is said."""
    (tmp_path / "cupy").mkdir()
    (tmp_path / "cupy" / "__init__.py").write_text(
        "try:\n    raise ImportError('libcudart.so.13: cannot open shared object file')\n"
        "except ImportError as error:\n    raise ImportError('=====\\nadvice\\n=====') from error\n"
    )
    for name in [name for name in sys.modules if name.partition(".")[0] == "cupy"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(DeviceUnavailableError) as caught:
        load_cupy()
    message = str(caught.value)
    assert "(libcudart.so.13: cannot open shared object file)" in message
    assert "pip install 'smoothcert[gpu]'" in message
    assert "\n" not in message


def test_out_of_memory_is_told_from_other_errors() -> None:
    """As CuPy's pool and the CUDA runtime say it; the driver's errors have its status too."""
    runtime = cupy.cuda.runtime.CUDARuntimeError
    assert is_out_of_memory(cupy.cuda.memory.OutOfMemoryError(2**30, 2**20))
    assert "cudaErrorMemoryAllocation" in str(runtime(2))
    assert is_out_of_memory(runtime(2))
    assert not is_out_of_memory(runtime(35))
    assert not is_out_of_memory(RuntimeError("the capture was invalidated"))


# A runtime on the second GPU, as far as that can be made without one, in a thread on the first; and
# what it raised, with the contexts that were current within and are now.
WORK = """
import json
import cupy, numpy as np
from smoothcert.cupy_kernels import loader
from smoothcert.engine.backends.device import cupy_runtime, driver
from smoothcert.engine.base.errors import InputError
first, second = driver.gpus()
driver.use(first)
runtime = object.__new__(cupy_runtime.CupyRuntime)
runtime._cupy, runtime._gpu = cupy, second
within = []
CUDARuntimeError = cupy.cuda.runtime.CUDARuntimeError
report = []
def told(work):
    within.clear()
    try:
        work()
        said = "no error"
    except (InputError, RuntimeError) as error:
        said = f"{type(error).__name__}: {error}"
    report.append([said, list(within), current()])
"""

MEMORY = (
    WORK
    + """
def full(size):
    within.append(current())
    raise cupy.cuda.memory.OutOfMemoryError(size, 2**20)
def no_pages(size):
    within.append(current())
    raise CUDARuntimeError(2)
cupy.cuda.set_allocator(full)
cupy.cuda.set_pinned_memory_allocator(no_pages)
told(lambda: runtime.allocate((1000, 1000), np.float32))
told(lambda: runtime.pinned((500,), np.uint8))
class Pages:
    size = 4096
    memory = np.full(size, 7, np.uint8)
    ptr = memory.ctypes.data
def pages(size):
    within.append(current())
    return cupy.cuda.PinnedMemoryPointer(Pages(), 0)
cupy.cuda.set_pinned_memory_allocator(pages)
array = []
told(lambda: array.append(runtime.pinned((3, 5), np.int32)))
assert array[0].shape == (3, 5) and not array[0].any()
told(lambda: runtime.stream())
told(lambda: runtime.kernel(loader.vote_kernel("float32"), 1, 32, ()))
print(json.dumps(report))
"""
)


def test_memory_that_is_out_is_one_line_and_the_current_device_stays(tmp_path: Path) -> None:
    first, second = CONTEXTS
    memory, pinned, fine, stream, kernel = json.loads(run_with_driver(tmp_path, MEMORY))
    assert memory[0].startswith("DeviceMemoryError: the device has no room for another 4.0 MB (")
    assert memory[0].endswith("expected a smaller --batch")
    assert pinned[0].startswith("DeviceMemoryError: the device has no room for another 0.0 MB (")
    assert fine[0] == "no error"
    for told in (memory, pinned, fine):
        assert told[1:] == [[second], first]
    assert stream[0].startswith("CUDARuntimeError: ")  # this driver has no streams
    assert kernel[0].startswith("DeviceUnavailableError: the GPU kernel vote_float32 cannot be")
    for told in (stream, kernel):
        assert "\n" not in told[0]
        assert told[2] == first


CAPTURE = (
    WORK
    + """
class Native:
    fails = {}
    def call(self, name):
        within.append(current())
        if name in self.fails:
            raise self.fails[name]
        return self
    def begin_capture(self): self.call("begin")
    def end_capture(self): return self.call("end")
    def upload(self, stream): self.call("upload")
    def launch(self, stream): self.call("launch")
class Stream:
    native = Native()
def capture(work=lambda: None, **fails):
    Native.fails = fails
    runtime.capture(work, Stream)()
def refuse():
    raise RuntimeError("refused")
told(capture)
told(lambda: capture(upload=CUDARuntimeError(2)))
told(lambda: capture(end=CUDARuntimeError(2)))
told(lambda: capture(launch=CUDARuntimeError(2)))
told(lambda: capture(end=CUDARuntimeError(901)))
told(lambda: capture(refuse, end=CUDARuntimeError(901)))
print(json.dumps(report))
"""
)


def test_a_graph_without_room_is_told_from_one_that_cannot_be_recorded(tmp_path: Path) -> None:
    """The calls are a stand-in's; CuPy makes the errors."""
    first, second = CONTEXTS
    report = json.loads(run_with_driver(tmp_path, CAPTURE))
    fine, upload, end, launch, invalid, refused = report
    assert fine == ["no error", [second] * 4, first]  # begun, ended, uploaded, launched
    for said, within, after in (upload, end, launch):
        assert said.startswith("DeviceMemoryError: the device has no room for more (cudaError")
        assert set(within) == {second}
        assert after == first
    assert invalid[0].startswith("CUDARuntimeError: cudaErrorStreamCaptureInvalidated")
    assert refused[0] == "RuntimeError: refused"
    assert len(refused[1]) == 2  # ended all the same
    assert {after for _, _, after in report} == {first}


def test_a_kernel_has_its_errors_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """What NVRTC refuses, as CuPy raises it; and what CuPy says without a GPU."""

    def refused(kernel: loader.Kernel) -> object:
        program = cupy.cuda.compiler._NVRTCProgram("__global__ void f() { x; }")
        return program.compile(("-arch=compute_80",))

    if not gpus():
        with pytest.raises(loader.KernelError, match="cannot be compiled or loaded") as caught:
            loader.load(loader.vote_kernel("float32"))
        assert isinstance(caught.value.__cause__, cupy.cuda.runtime.CUDARuntimeError)
    monkeypatch.setattr(loader, "_function", refused)
    with pytest.raises(loader.KernelError) as caught:
        loader.load(loader.vote_kernel("float32"))
    message = str(caught.value)
    assert message.startswith("the GPU kernel vote_float32 cannot be compiled or loaded (")
    assert 'identifier "x" is undefined' in message
    assert "\n" not in message
