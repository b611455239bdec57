"""The device runtime of PyCUDA, which stock TensorRT containers carry: no CUDA graphs.

The context is the device's primary one, which TensorRT, ONNX Runtime and PyTorch use too;
pycuda.autoinit would make a second one, in which their memory means nothing. It is current within
calls only: pycuda.autoprimaryctx would leave it current from then on, for one device a process.
"""

import atexit
import contextlib
import importlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from smoothcert.cupy_kernels import loader
from smoothcert.cupy_kernels.loader import Kernel
from smoothcert.engine.backends.device.driver import require_gpu
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
    InputError,
    one_line,
    require,
)

_NON_BLOCKING = 1  # CU_STREAM_NON_BLOCKING, which PyCUDA has no name for
_PURPOSE = "the PyCUDA device runtime"
_contexts: dict[int, Any] = {}
"""Primary contexts by device. They live as long as the process: PyCUDA would leave one that it lets
go current."""


class PycudaRuntime:
    """A DeviceRuntime (runtime.py) on GPU number `device`; needs nvcc to compile the kernels.

    Raises MissingPartError where PyCUDA is not installed, DeviceUnavailableError where it cannot be
    imported or there is no driver or no such GPU, and DeviceMemoryError where the GPU is full.
    """

    can_capture = False

    def __init__(self, device: int = 0) -> None:
        try:
            self._driver = driver = require("pycuda.driver", "pycuda", _PURPOSE)
            require_gpu(device, _PURPOSE)
            driver.init()
            chosen = driver.Device(device)
            if device not in _contexts:
                _contexts[device] = chosen.retain_primary_context()
                # Its destructor would take it for a context of another kind, and complain.
                atexit.register(_contexts[device].detach)
            self._context = _contexts[device]
            self._compile = importlib.import_module("pycuda.compiler").SourceModule
        except InputError:
            raise
        except Exception as error:  # PyCUDA's own exceptions, and the loader's
            if _is_out_of_memory(error):
                raise no_room(error) from None
            raise DeviceUnavailableError(
                f"device cuda:{device} cannot be used by PyCUDA ({one_line(error)}): expected "
                "an NVIDIA GPU, its driver, and a PyCUDA built for the CUDA that is installed"
            ) from None
        self._modules: dict[Kernel, Any] = {}
        attribute = driver.device_attribute
        self.properties = DeviceProperties(
            chosen.name(),
            "{}.{}".format(*chosen.compute_capability()),
            int(chosen.get_attribute(attribute.MULTIPROCESSOR_COUNT)),
            int(chosen.get_attribute(attribute.MAX_SHARED_MEMORY_PER_BLOCK_OPTIN)),
            int(chosen.total_memory()),
        )

    @contextlib.contextmanager
    def current(self) -> Iterator[None]:
        """See runtime.DeviceRuntime."""
        self._context.push()
        try:
            yield
        finally:
            self._driver.Context.pop()

    @contextlib.contextmanager
    def _working(self, size: int | None = None) -> Iterator[None]:
        """On this device, with PyCUDA's errors of memory as DeviceMemoryError."""
        try:
            with self.current():
                yield
        except self._driver.MemoryError as error:
            raise no_room(error, size) from None

    def allocate(self, shape: tuple[int, ...], dtype: npt.DTypeLike) -> DeviceArray:
        """See runtime.DeviceRuntime."""
        kind = np.dtype(dtype)
        size = int(np.prod(shape)) * kind.itemsize
        with self._working(size):
            memory = self._driver.mem_alloc(size)
            self._driver.memset_d8(int(memory), 0, size)
            self._driver.Context.synchronize()
        return DeviceArray(int(memory), shape, kind, memory)

    def pinned(self, shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        """See runtime.DeviceRuntime."""
        with self._working(int(np.prod(shape)) * np.dtype(dtype).itemsize):
            array: npt.NDArray[Any] = self._driver.pagelocked_zeros(shape, dtype)
        return array

    def release(self) -> None:
        """See runtime.DeviceRuntime; PyCUDA keeps nothing."""

    def stream(self) -> NativeStream:
        """See runtime.DeviceRuntime."""
        with self._working():
            native = self._driver.Stream(_NON_BLOCKING)
            return NativeStream(native, int(native.handle), self.current)

    def event(self) -> NativeEvent:
        """See runtime.DeviceRuntime. Waiting sleeps: the core is free for decoding images."""
        flags = self._driver.event_flags
        with self._working():
            event = self._driver.Event(int(flags.BLOCKING_SYNC) | int(flags.DISABLE_TIMING))
            return NativeEvent(event, self.current)

    def upload(self, source: npt.NDArray[Any], target: DeviceArray, stream: Any) -> None:
        """See runtime.DeviceRuntime."""
        same_size(source, target)
        with self._working():
            self._driver.memcpy_htod_async(target.pointer, source, stream.native)

    def download(self, source: DeviceArray, target: npt.NDArray[Any], stream: Any) -> None:
        """See runtime.DeviceRuntime."""
        same_size(source, target)
        with self._working():
            self._driver.memcpy_dtoh_async(target, source.pointer, stream.native)

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
            function = self._load(kernel).get_function(kernel.name)
            # The function is shared by all that load it: what one of them was granted stays.
            limit = self._driver.function_attribute.MAX_DYNAMIC_SHARED_SIZE_BYTES
            if shared_bytes > function.get_attribute(limit):
                function.set_attribute(limit, shared_bytes)
        values = values_of(arguments)

        def launch(stream: Any, _keep: Any = arguments) -> None:
            with self._working():
                function(
                    *values,
                    block=(block, 1, 1),
                    grid=(grid, 1),
                    shared=shared_bytes,
                    stream=stream.native,
                )

        return launch

    def _load(self, kernel: Kernel) -> Any:
        """The kernel's module, compiled by nvcc where PyCUDA's cache has it not."""
        if kernel not in self._modules:
            options = list(loader.COMPILE_OPTIONS)
            try:
                module = self._compile(loader.source(kernel), options=options, no_extern_c=True)
            except self._driver.MemoryError:
                raise
            except Exception as error:  # CompileError; without nvcc, that of pytools.prefork
                raise DeviceUnavailableError(
                    f"PyCUDA cannot compile the GPU kernels ({one_line(error)}): expected the nvcc "
                    "of a CUDA toolkit on PATH, not newer than the driver"
                ) from None
            self._modules[kernel] = module
        return self._modules[kernel]

    def capture(self, work: Callable[[], None], stream: Any) -> Replay:
        """See runtime.DeviceRuntime; PyCUDA cannot."""
        raise RuntimeError("PyCUDA does not record graphs")

    def describe(self) -> dict[str, Any]:
        """See runtime.DeviceRuntime."""
        version = importlib.import_module("pycuda").VERSION_TEXT
        return {
            "device": self.properties.name,
            "compute_capability": self.properties.compute_capability,
            "driver": int(self._driver.get_driver_version()),
            "kernels": f"pycuda {version}",
        }


def _is_out_of_memory(error: Exception) -> bool:
    """Whether it is pycuda.driver.MemoryError, which is no MemoryError of Python's."""
    return type(error).__name__ == "MemoryError"
