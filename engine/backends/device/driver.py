"""What the CUDA driver says, asked through its own library: no CUDA package is needed to ask.

TensorRT must not be touched before this: without a driver its objects end the process instead of
raising.
"""

import contextlib
import ctypes
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from smoothcert.engine.base.errors import DeviceMemoryError, DeviceUnavailableError

OUT_OF_MEMORY = 2
"""CUDA_ERROR_OUT_OF_MEMORY, and cudaErrorMemoryAllocation of the CUDA runtime."""

_LIBRARY = "libcuda.so.1"
_TAKEN = 46  # CUDA_ERROR_DEVICE_UNAVAILABLE: exclusive compute mode
_MAJOR, _MINOR = 75, 76  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR and _MINOR
_REASONS = {
    100: "the driver finds no device; CUDA_VISIBLE_DEVICES may hide it",
    802: "the driver's fabric manager is not running",
    803: "the driver's library is of another version than its kernel module; a reboot may help",
    804: "the CUDA compatibility library does not support this GPU; take it out of the library "
    "path, or install a newer driver",
}
"""Of what cuInit answers: CUDA_ERROR_NO_DEVICE, SYSTEM_NOT_READY, SYSTEM_DRIVER_MISMATCH,
COMPAT_NOT_SUPPORTED_ON_DEVICE."""


@dataclass(frozen=True)
class Gpu:
    """One CUDA device: its index, name and compute capability, such as "sm90"."""

    index: int
    name: str
    capability: str


@lru_cache(maxsize=1)
def _library() -> tuple[ctypes.CDLL | None, int]:
    """The driver's library, or None, and what cuInit answered."""
    try:
        library = ctypes.CDLL(_LIBRARY)
    except OSError:
        return None, 0
    return library, int(library.cuInit(0))


def _driver() -> ctypes.CDLL | None:
    """The driver's library, initialised; None where there is none or it finds no device."""
    library, status = _library()
    return None if status else library


def driver_version() -> tuple[int, int] | None:
    """The newest CUDA that the driver runs, (12, 4); None without a driver."""
    library, _ = _library()
    version = ctypes.c_int()
    if library is None or library.cuDriverGetVersion(ctypes.byref(version)):
        return None
    return version.value // 1000, version.value % 1000 // 10


def gpus() -> list[Gpu]:
    """The CUDA devices of this machine, in the driver's order; empty without a driver."""
    driver = _driver()
    count = ctypes.c_int(0)
    if driver is None or driver.cuDeviceGetCount(ctypes.byref(count)):
        return []
    return [_describe(driver, index) for index in range(count.value)]


def _describe(driver: ctypes.CDLL, index: int) -> Gpu:
    device, major, minor = ctypes.c_int(), ctypes.c_int(), ctypes.c_int()
    name = ctypes.create_string_buffer(256)
    _check(driver.cuDeviceGet(ctypes.byref(device), index), "cuDeviceGet")
    _check(driver.cuDeviceGetName(name, len(name), device), "cuDeviceGetName")
    for attribute, value in ((_MAJOR, major), (_MINOR, minor)):
        status = driver.cuDeviceGetAttribute(ctypes.byref(value), attribute, device)
        _check(status, "cuDeviceGetAttribute")
    return Gpu(index, name.value.decode(), f"sm{major.value}{minor.value}")


def require_gpu(index: int, purpose: str) -> Gpu:
    """The GPU of that index. `purpose` completes the sentence "<purpose> needs an NVIDIA GPU".

    Raises DeviceUnavailableError where there is no driver, or no such device.
    """
    found = gpus()
    if not found:
        _, status = _library()
        reason = f" ({_REASONS.get(status, f'cuInit fails with {status}')})" if status else ""
        raise DeviceUnavailableError(
            f"{purpose} needs an NVIDIA GPU and its driver, and this machine shows none{reason}: "
            "see `smoothcert doctor`"
        )
    if not 0 <= index < len(found):
        raise DeviceUnavailableError(
            f"device cuda:{index} does not exist: expected cuda:0 .. cuda:{len(found) - 1}"
        )
    return found[index]


def use(gpu: Gpu) -> None:
    """Make a GPU the current one of this thread: for the CUDA runtime inside other libraries too.

    It is the device's primary context that becomes current, the one that CuPy and PyTorch use.
    Raises DeviceMemoryError or DeviceUnavailableError where it cannot be opened.
    """
    driver, context = _primary_context(gpu.index)
    _check(driver.cuCtxSetCurrent(context), "cuCtxSetCurrent")


@contextlib.contextmanager
def current(gpu: Gpu) -> Iterator[None]:
    """Within it a GPU is the thread's current one, as by `use`; afterwards the thread is on the one
    that it was on before, or on none.

    Going back by cudaSetDevice would be to the first GPU where there was none, and would open it:
    every process of a machine would hold memory there.
    """
    driver, context = _primary_context(gpu.index)
    _check(driver.cuCtxPushCurrent_v2(context), "cuCtxPushCurrent")
    try:
        yield
    finally:
        popped = ctypes.c_void_p()
        _check(driver.cuCtxPopCurrent_v2(ctypes.byref(popped)), "cuCtxPopCurrent")


@lru_cache(maxsize=256)
def _primary_context(index: int) -> tuple[ctypes.CDLL, ctypes.c_void_p]:
    """The driver, and a device's primary context, held as long as the process lives."""
    driver = _driver()
    assert driver is not None, "a Gpu was found without a driver"
    device, context = ctypes.c_int(), ctypes.c_void_p()
    _check(driver.cuDeviceGet(ctypes.byref(device), index), "cuDeviceGet")
    status = driver.cuDevicePrimaryCtxRetain(ctypes.byref(context), device)
    if status == OUT_OF_MEMORY:
        raise DeviceMemoryError(
            f"device cuda:{index} has no memory left to be opened with: expected a GPU that others "
            "leave room on; nvidia-smi says who uses it"
        )
    if status:
        taken = " (another process has it to itself)" if status == _TAKEN else ""
        raise DeviceUnavailableError(
            f"device cuda:{index} cannot be opened, with status {status} of the CUDA driver{taken}:"
            " expected a GPU that is free and in order; nvidia-smi says more"
        )
    return driver, context


def _check(status: int, call: str) -> None:
    if status:
        raise RuntimeError(f"the CUDA driver's {call} failed with status {status}")
