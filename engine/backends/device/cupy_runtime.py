"""The device runtime of CuPy: memory from its pool, kernels by NVRTC, CUDA graphs."""

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from smoothcert.cupy_kernels import loader
from smoothcert.cupy_kernels.loader import Kernel
from smoothcert.engine.backends.device.runtime import (
    Argument,
    DeviceArray,
    DeviceProperties,
    Launch,
    Replay,
    same_size,
)
from smoothcert.engine.base.errors import InputError, one_line, require


def load_cupy() -> Any:
    """The cupy module; raises MissingPartError where it is not installed."""
    return require("cupy", "gpu", "certifying on a GPU")


class CupyStream:
    """See runtime.Stream."""

    def __init__(self, cupy: Any) -> None:
        # Non-blocking: nothing that another library puts on the default stream holds it up.
        self.native = cupy.cuda.Stream(non_blocking=True)
        self.pointer = int(self.native.ptr)

    def synchronize(self) -> None:
        """See runtime.Stream."""
        self.native.synchronize()


class CupyEvent:
    """See runtime.Event. Waiting sleeps, so that the core is free for decoding images."""

    def __init__(self, cupy: Any) -> None:
        self.native = cupy.cuda.Event(block=True, disable_timing=True)

    def record(self, stream: Any) -> None:
        """See runtime.Event."""
        self.native.record(stream.native)

    def synchronize(self) -> None:
        """See runtime.Event."""
        self.native.synchronize()


class CupyRuntime:
    """A DeviceRuntime (runtime.py) on GPU number `device`.

    Raises MissingPartError where CuPy is not installed and InputError where there is no driver, or
    no such GPU.
    """

    can_capture = True

    def __init__(self, device: int = 0) -> None:
        self._cupy = cupy = load_cupy()
        runtime = cupy.cuda.runtime
        try:
            count = int(runtime.getDeviceCount())
        except RuntimeError as error:
            raise InputError(
                f"device cuda:{device} cannot be used ({error}): expected an NVIDIA GPU and its "
                "driver; --device cpu needs neither"
            ) from None
        if device >= count:
            raise InputError(
                f"device cuda:{device} does not exist: expected one of cuda:0 .. cuda:{count - 1}"
            )
        cupy.cuda.Device(device).use()
        found = runtime.getDeviceProperties(device)
        self.properties = DeviceProperties(
            found["name"].decode(),
            f"{found['major']}.{found['minor']}",
            int(found["multiProcessorCount"]),
            int(found["sharedMemPerBlockOptin"]),
            int(found["totalGlobalMem"]),
        )

    def allocate(self, shape: tuple[int, ...], dtype: npt.DTypeLike) -> DeviceArray:
        """See runtime.DeviceRuntime."""
        kind = np.dtype(dtype)
        size = int(np.prod(shape)) * kind.itemsize
        try:
            memory = self._cupy.cuda.alloc(size)
        except self._cupy.cuda.memory.OutOfMemoryError as error:
            raise InputError(
                f"the device has no room for another {size / 1e6:,.0f} MB "
                f"({one_line(error)}): expected a smaller --batch"
            ) from None
        memory.memset(0, size)
        self._cupy.cuda.runtime.deviceSynchronize()
        return DeviceArray(int(memory.ptr), shape, kind, memory)

    def pinned(self, shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        """See runtime.DeviceRuntime."""
        kind, count = np.dtype(dtype), int(np.prod(shape))
        # The array holds the memory by the buffer protocol. The pool rounds sizes up.
        memory = self._cupy.cuda.alloc_pinned_memory(max(count, 1) * kind.itemsize)
        array = np.frombuffer(memory, kind, count).reshape(shape)
        array[...] = 0
        return array

    def stream(self) -> CupyStream:
        """See runtime.DeviceRuntime."""
        return CupyStream(self._cupy)

    def event(self) -> CupyEvent:
        """See runtime.DeviceRuntime."""
        return CupyEvent(self._cupy)

    def upload(self, source: npt.NDArray[Any], target: DeviceArray, stream: Any) -> None:
        """See runtime.DeviceRuntime."""
        same_size(source, target)
        runtime = self._cupy.cuda.runtime
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
        function = loader.load(kernel)
        # The function is shared by all that load it: what one of them was granted stays.
        if shared_bytes > function.max_dynamic_shared_size_bytes:
            function.max_dynamic_shared_size_bytes = shared_bytes
        values = tuple(np.uint64(a.pointer) if isinstance(a, DeviceArray) else a for a in arguments)
        owners = [a for a in arguments if isinstance(a, DeviceArray)]

        def launch(stream: Any, _keep: Any = owners) -> None:
            with stream.native:
                function((grid,), (block,), values, shared_mem=shared_bytes)

        return launch

    def capture(self, work: Callable[[], None], stream: Any) -> Replay:
        """See runtime.DeviceRuntime."""
        native = stream.native
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
        return lambda: graph.launch(native)

    def describe(self) -> dict[str, Any]:
        """See runtime.DeviceRuntime."""
        runtime = self._cupy.cuda.runtime
        return {
            "device": self.properties.name,
            "compute_capability": self.properties.compute_capability,
            "driver": int(runtime.driverGetVersion()),
            "kernels": f"cupy {self._cupy.__version__}",
        }
