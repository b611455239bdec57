"""The device runtime of PyCUDA, which stock TensorRT containers carry: no CUDA graphs.

The context is the device's primary one (pycuda.autoprimaryctx), which TensorRT, ONNX Runtime and
PyTorch use too; pycuda.autoinit would make a second one, in which their memory means nothing.
"""

import importlib
import os
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

_NON_BLOCKING = 1  # CU_STREAM_NON_BLOCKING, which PyCUDA has no name for


class PycudaStream:
    """See runtime.Stream."""

    def __init__(self, driver: Any) -> None:
        self.native = driver.Stream(_NON_BLOCKING)
        self.pointer = int(self.native.handle)

    def synchronize(self) -> None:
        """See runtime.Stream."""
        self.native.synchronize()


class PycudaEvent:
    """See runtime.Event. Waiting sleeps, so that the core is free for decoding images."""

    def __init__(self, driver: Any) -> None:
        flags = driver.event_flags
        self.native = driver.Event(int(flags.BLOCKING_SYNC) | int(flags.DISABLE_TIMING))

    def record(self, stream: Any) -> None:
        """See runtime.Event."""
        self.native.record(stream.native)

    def synchronize(self) -> None:
        """See runtime.Event."""
        self.native.synchronize()


class PycudaRuntime:
    """A DeviceRuntime (runtime.py) on GPU number `device`; needs nvcc to compile the kernels.

    Raises MissingPartError where PyCUDA is not installed and InputError where there is no driver,
    or no such GPU. One device per process: PyCUDA's primary context is chosen once.
    """

    can_capture = False

    def __init__(self, device: int = 0) -> None:
        purpose = "the PyCUDA device runtime"
        try:
            self._driver = driver = require("pycuda.driver", "pycuda", purpose)
            driver.init()
            count = int(driver.Device.count())
            if device < count:
                os.environ["CUDA_DEVICE"] = str(device)  # read by the next import, once
                chosen = importlib.import_module("pycuda.autoprimaryctx").device
        except InputError:
            raise
        except Exception as error:  # PyCUDA's own exceptions, and the loader's without a driver
            raise InputError(
                f"device cuda:{device} cannot be used ({one_line(error)}): expected "
                "an NVIDIA GPU and its driver; --device cpu needs neither"
            ) from None
        if device >= count:
            raise InputError(
                f"device cuda:{device} does not exist: expected one of cuda:0 .. cuda:{count - 1}"
            )
        if chosen != driver.Device(device):
            raise InputError(
                f"device cuda:{device} cannot be used: PyCUDA is already on another one in this "
                "process; expected one GPU per process"
            )
        self._compile = importlib.import_module("pycuda.compiler").SourceModule
        self._modules: dict[Kernel, Any] = {}
        attribute = driver.device_attribute
        self.properties = DeviceProperties(
            chosen.name(),
            "{}.{}".format(*chosen.compute_capability()),
            int(chosen.get_attribute(attribute.MULTIPROCESSOR_COUNT)),
            int(chosen.get_attribute(attribute.MAX_SHARED_MEMORY_PER_BLOCK_OPTIN)),
            int(chosen.total_memory()),
        )

    def allocate(self, shape: tuple[int, ...], dtype: npt.DTypeLike) -> DeviceArray:
        """See runtime.DeviceRuntime."""
        kind = np.dtype(dtype)
        size = int(np.prod(shape)) * kind.itemsize
        try:
            memory = self._driver.mem_alloc(size)
        except self._driver.MemoryError as error:
            raise InputError(
                f"the device has no room for another {size / 1e6:,.0f} MB ({error}): expected a "
                "smaller --batch"
            ) from None
        self._driver.memset_d8(int(memory), 0, size)
        self._driver.Context.synchronize()
        return DeviceArray(int(memory), shape, kind, memory)

    def pinned(self, shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        """See runtime.DeviceRuntime."""
        array: npt.NDArray[Any] = self._driver.pagelocked_zeros(shape, dtype)
        return array

    def stream(self) -> PycudaStream:
        """See runtime.DeviceRuntime."""
        return PycudaStream(self._driver)

    def event(self) -> PycudaEvent:
        """See runtime.DeviceRuntime."""
        return PycudaEvent(self._driver)

    def upload(self, source: npt.NDArray[Any], target: DeviceArray, stream: Any) -> None:
        """See runtime.DeviceRuntime."""
        same_size(source, target)
        self._driver.memcpy_htod_async(target.pointer, source, stream.native)

    def download(self, source: DeviceArray, target: npt.NDArray[Any], stream: Any) -> None:
        """See runtime.DeviceRuntime."""
        same_size(source, target)
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
        if kernel not in self._modules:
            options = list(loader.COMPILE_OPTIONS)
            self._modules[kernel] = self._compile(
                loader.source(kernel), options=options, no_extern_c=True
            )
        function = self._modules[kernel].get_function(kernel.name)
        # The function is shared by all that load it: what one of them was granted stays.
        limit = self._driver.function_attribute.MAX_DYNAMIC_SHARED_SIZE_BYTES
        if shared_bytes > function.get_attribute(limit):
            function.set_attribute(limit, shared_bytes)
        values = tuple(np.uint64(a.pointer) if isinstance(a, DeviceArray) else a for a in arguments)
        owners = [a for a in arguments if isinstance(a, DeviceArray)]

        def launch(stream: Any, _keep: Any = owners) -> None:
            function(
                *values,
                block=(block, 1, 1),
                grid=(grid, 1),
                shared=shared_bytes,
                stream=stream.native,
            )

        return launch

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
