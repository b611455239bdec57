"""Which device runtime is used: CuPy's, or PyCUDA's where only that is installed."""

from smoothcert.engine.backends.device.cupy_runtime import CupyRuntime
from smoothcert.engine.backends.device.pycuda_runtime import PycudaRuntime
from smoothcert.engine.backends.device.runtime import DeviceRuntime
from smoothcert.engine.base.errors import MissingPartError


def open_runtime(device: int) -> DeviceRuntime:
    """The runtime of GPU number `device`.

    Raises MissingPartError, naming CuPy, where neither is installed, DeviceUnavailableError where
    the one that is cannot be used or there is no such GPU, and DeviceMemoryError where it is full.
    """
    try:
        return CupyRuntime(device)
    except MissingPartError as missing:
        try:
            return PycudaRuntime(device)
        except MissingPartError:
            raise missing from None
