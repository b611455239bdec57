"""The device runtime of CuPy: memory from its pool, kernels by NVRTC, CUDA graphs."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import numpy.typing as npt

from smoothcert.cupy_kernels import loader
from smoothcert.cupy_kernels.loader import Kernel
from smoothcert.engine.backends.device import driver
from smoothcert.engine.backends.device.native import NativeEvent, NativeStream
from smoothcert.engine.backends.device.runtime import (
    Argument,
    DeviceArray,
    DeviceProperties,
    Launch,
    Replay,
    no_room,
    same_size,
    values_of,
)
from smoothcert.engine.base.errors import (
    DeviceUnavailableError,
    MissingPartError,
    one_line,
    require,
)

_TOO_OLD = (35, 36)  # cudaErrorInsufficientDriver, cudaErrorCallRequiresNewerDriver
_PURPOSE = "certifying on a GPU"


def load_cupy() -> Any:
    """The cupy module.

    Raises MissingPartError where it is not installed, and DeviceUnavailableError where what is
    installed cannot be imported.
    """
    try:
        return require("cupy", "gpu", _PURPOSE)
    except MissingPartError:
        raise
    except Exception as error:  # ImportError, with a page of advice around its cause, or the cause
        raise DeviceUnavailableError(
            f"the installed CuPy cannot be imported ({one_line(error.__cause__ or error)}): "
            "expected one build of it, for this system; pip uninstall those that pip list shows, "
            "then pip install 'smoothcert[gpu]'"
        ) from None


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error of CuPy means that memory is out: its pool's, the CUDA runtime's, the
    driver's."""
    return isinstance(error, MemoryError) or getattr(error, "status", None) == driver.OUT_OF_MEMORY


class CupyRuntime:
    """A DeviceRuntime (runtime.py) on GPU number `device`.

    Raises MissingPartError where CuPy is not installed, DeviceUnavailableError where it cannot be
    imported, there is no driver, one too old for it, or no such GPU, and DeviceMemoryError where
    the GPU is full.
    """

    can_capture = True

    def __init__(self, device: int = 0) -> None:
        self._cupy = cupy = load_cupy()
        self._gpu = driver.require_gpu(device, _PURPOSE)
        runtime = cupy.cuda.runtime
        try:
            runtime.getDeviceCount()
            with self.current():
                found = runtime.getDeviceProperties(device)
        except RuntimeError as error:
            raise _unusable(cupy, device, error) from None
        self.properties = DeviceProperties(
            found["name"].decode(),
            f"{found['major']}.{found['minor']}",
            int(found["multiProcessorCount"]),
            int(found["sharedMemPerBlockOptin"]),
            int(found["totalGlobalMem"]),
        )

    def current(self) -> AbstractContextManager[None]:
        """See runtime.DeviceRuntime. The CUDA runtime in CuPy works on the driver's current
        context."""
        return driver.current(self._gpu)

    @contextlib.contextmanager
    def _working(self, size: int | None = None) -> Iterator[None]:
        """On this device, with CuPy's errors of memory as DeviceMemoryError."""
        try:
            with self.current():
                yield
        except (RuntimeError, MemoryError) as error:
            if is_out_of_memory(error):
                raise no_room(error, size) from None
            raise

    def allocate(self, shape: tuple[int, ...], dtype: npt.DTypeLike) -> DeviceArray:
        """See runtime.DeviceRuntime."""
        kind = np.dtype(dtype)
        size = int(np.prod(shape)) * kind.itemsize
        with self._working(size):
            memory = self._cupy.cuda.alloc(size)
            memory.memset(0, size)
            self._cupy.cuda.runtime.deviceSynchronize()
        return DeviceArray(int(memory.ptr), shape, kind, memory)

    def pinned(self, shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        """See runtime.DeviceRuntime."""
        kind, count = np.dtype(dtype), int(np.prod(shape))
        size = max(count, 1) * kind.itemsize
        with self._working(size):
            # The array holds the memory by the buffer protocol. The pool rounds sizes up.
            memory = self._cupy.cuda.alloc_pinned_memory(size)
        array = np.frombuffer(memory, kind, count).reshape(shape)
        array[...] = 0
        return array

    def release(self) -> None:
        """See runtime.DeviceRuntime."""
        with self._working():
            self._cupy.get_default_memory_pool().free_all_blocks()
            self._cupy.get_default_pinned_memory_pool().free_all_blocks()

    def stream(self) -> NativeStream:
        """See runtime.DeviceRuntime."""
        with self._working():
            # Non-blocking: nothing that another library puts on the default stream holds it up.
            native = self._cupy.cuda.Stream(non_blocking=True)
            return NativeStream(native, int(native.ptr), self.current)

    def event(self) -> NativeEvent:
        """See runtime.DeviceRuntime. Waiting sleeps: the core is free for decoding images."""
        with self._working():
            event = self._cupy.cuda.Event(block=True, disable_timing=True)
            return NativeEvent(event, self.current)

    def upload(self, source: npt.NDArray[Any], target: DeviceArray, stream: Any) -> None:
        """See runtime.DeviceRuntime."""
        same_size(source, target)
        runtime = self._cupy.cuda.runtime
        with self._working():
            runtime.memcpyAsync(
                target.pointer,
                source.ctypes.data,
                source.nbytes,
                runtime.memcpyHostToDevice,
                stream.pointer,
            )

    def download(self, source: DeviceArray, target: npt.NDArray[Any], stream: Any) -> None:
        """See runtime.DeviceRuntime."""
        same_size(source, target)
        runtime = self._cupy.cuda.runtime
        with self._working():
            runtime.memcpyAsync(
                target.ctypes.data,
                source.pointer,
                target.nbytes,
                runtime.memcpyDeviceToHost,
                stream.pointer,
            )

    def kernel(
        self,
        kernel: Kernel,
        grid: int,
        block: int,
        arguments: Sequence[Argument],
        shared_bytes: int = 0,
    ) -> Launch:
        """See runtime.DeviceRuntime."""
        with self._working():
            try:
                function = loader.load(kernel)
            except loader.KernelError as error:
                cause = error.__cause__
                if cause is not None and is_out_of_memory(cause):
                    raise no_room(cause) from None
                raise DeviceUnavailableError(str(error)) from None
            # The function is shared by all that load it: what one of them was granted stays, on
            # each device for itself.
            if shared_bytes > function.max_dynamic_shared_size_bytes:
                function.max_dynamic_shared_size_bytes = shared_bytes
        values = values_of(arguments)

        def launch(stream: Any, _keep: Any = arguments) -> None:
            with self._working(), stream.native:
                function((grid,), (block,), values, shared_mem=shared_bytes)

        return launch

    def capture(self, work: Callable[[], None], stream: Any) -> Replay:
        """See runtime.DeviceRuntime."""
        native = stream.native
        with self._working():
            native.begin_capture()
            try:
                work()
            except BaseException:
                # Ends the recording, which the failure may have made invalid.
                with contextlib.suppress(RuntimeError):
                    native.end_capture()
                raise
            graph = native.end_capture()
            graph.upload(native)

        def replay() -> None:
            with self._working():
                graph.launch(native)

        return replay

    def describe(self) -> dict[str, Any]:
        """See runtime.DeviceRuntime."""
        runtime = self._cupy.cuda.runtime
        return {
            "device": self.properties.name,
            "compute_capability": self.properties.compute_capability,
            "driver": int(runtime.driverGetVersion()),
            "kernels": f"cupy {self._cupy.__version__}",
        }


def _unusable(cupy: Any, device: int, error: RuntimeError) -> DeviceUnavailableError:
    """Why the CUDA runtime in CuPy refuses a GPU that the driver has."""
    version = driver.driver_version()
    if getattr(error, "status", None) not in _TOO_OLD or version is None:
        return DeviceUnavailableError(
            f"device cuda:{device} cannot be used ({one_line(error)}): expected an NVIDIA GPU and "
            "its driver, in order; nvidia-smi says more, and --device cpu needs neither"
        )
    major = int(cupy.cuda.runtime.runtimeGetVersion()) // 1000
    older = (
        ", or pip uninstall cupy-cuda13x onnxruntime-gpu and pip install 'smoothcert[gpu-cuda12]'"
        if major > version[0] == 12
        else ""
    )
    return DeviceUnavailableError(
        f"device cuda:{device} cannot be used: its driver runs CUDA {version[0]}.{version[1]}, and "
        f"CuPy {cupy.__version__} is built for CUDA {major}: expected a newer driver{older}"
    )
