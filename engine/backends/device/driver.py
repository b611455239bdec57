"""What the CUDA driver says, asked through its own library: no CUDA package is needed to ask.

TensorRT must not be touched before this: without a driver its objects end the process instead of
raising.
"""

import ctypes
from dataclasses import dataclass
from functools import lru_cache

from smoothcert.engine.base.errors import InputError

_LIBRARY = "libcuda.so.1"
_MAJOR, _MINOR = 75, 76  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR and _MINOR


@dataclass(frozen=True)
class Gpu:
    """One CUDA device: its index, name and compute capability, such as "sm90"."""

    index: int
    name: str
    capability: str


@lru_cache(maxsize=1)
def _driver() -> ctypes.CDLL | None:
    """The driver's library, initialised; None where there is none or it finds no device."""
    try:
        library = ctypes.CDLL(_LIBRARY)
    except OSError:
        return None
    return library if library.cuInit(0) == 0 else None


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
    """The GPU of that index; raises InputError where there is no driver or no such device.

    `purpose` completes the sentence "<purpose> needs an NVIDIA GPU".
    """
    found = gpus()
    if not found:
        raise InputError(
            f"{purpose} needs an NVIDIA GPU and its driver, and this machine shows none: "
            "see `smoothcert doctor`"
        )
    if not 0 <= index < len(found):
        raise InputError(
            f"device cuda:{index} does not exist: expected cuda:0 .. cuda:{len(found) - 1}"
        )
    return found[index]


def use(gpu: Gpu) -> None:
    """Make a GPU the current one of this thread: for the CUDA runtime inside other libraries too.

    It is the device's primary context that becomes current, the one that CuPy and PyTorch use.
    """
    driver = _driver()
    assert driver is not None, "a Gpu was found without a driver"
    device, context = ctypes.c_int(), ctypes.c_void_p()
    _check(driver.cuDeviceGet(ctypes.byref(device), gpu.index), "cuDeviceGet")
    _check(driver.cuDevicePrimaryCtxRetain(ctypes.byref(context), device), "cuDevicePrimaryCtx")
    _check(driver.cuCtxSetCurrent(context), "cuCtxSetCurrent")


def _check(status: int, call: str) -> None:
    if status:
        raise RuntimeError(f"the CUDA driver's {call} failed with status {status}")
