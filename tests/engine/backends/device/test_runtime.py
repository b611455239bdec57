"""Device arrays, and that the runtimes offer what the protocol asks for."""

import inspect

import numpy as np
import pytest
from host_device import HostDevice

from smoothcert.engine.backends.device.cupy_runtime import CupyRuntime
from smoothcert.engine.backends.device.pycuda_runtime import PycudaRuntime
from smoothcert.engine.backends.device.runtime import DeviceArray, DeviceRuntime, same_size


def test_parts_of_an_array_are_where_they_should_be() -> None:
    owner = object()
    array = DeviceArray(4096, (3, 5), np.dtype(np.uint32), owner)
    assert array.nbytes == 60
    part = array[2]
    assert (part.pointer, part.shape, part.nbytes, part.owner) == (4096 + 40, (5,), 20, owner)
    assert part[4].pointer == 4096 + 40 + 16
    for index in (-1, 3):
        with pytest.raises(IndexError):
            array[index]


def test_copies_between_sizes_are_refused() -> None:
    array = DeviceArray(4096, (3,), np.dtype(np.uint32), None)
    same_size(np.zeros(12, np.uint8), array)
    with pytest.raises(ValueError, match="8 bytes into 12"):
        same_size(np.zeros(2, np.uint32), array)


@pytest.mark.parametrize("runtime", [CupyRuntime, PycudaRuntime, HostDevice])
def test_methods_take_what_the_protocol_says(runtime: type) -> None:
    names = [name for name in vars(DeviceRuntime) if not name.startswith("_")]
    methods = [name for name in names if inspect.isfunction(getattr(DeviceRuntime, name))]
    assert {"allocate", "upload", "download", "kernel", "capture", "stream"} <= set(methods)
    for name in methods:
        expected = list(inspect.signature(getattr(DeviceRuntime, name)).parameters)
        assert list(inspect.signature(getattr(runtime, name)).parameters) == expected, name
