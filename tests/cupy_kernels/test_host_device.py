"""The host device counts what is done while it is not the current one."""

import numpy as np
from host_device import HostDevice

from smoothcert.cupy_kernels import loader


def test_calls_outside_are_counted_and_those_inside_are_not() -> None:
    device = HostDevice("late")

    def work() -> None:
        stream = device.stream()
        logits, rows = device.allocate((1, 2), np.float32), device.allocate((1, 4), np.uint32)
        votes, staged = device.allocate((1,), np.int32), device.pinned((1,), np.int32)
        arguments = (logits, rows, np.uint32(1), np.uint32(2), votes)
        launch = device.kernel(loader.vote_kernel("float32"), 1, 32, arguments)
        replay = device.capture(lambda: launch(stream), stream)
        replay()
        device.download(votes, staged, stream)
        device.event().record(stream)
        stream.synchronize()
        device.release()

    with device.current():
        with device.current():
            work()
        work()
    assert device.depth == 0
    assert not device.outside
    work()
    assert device.outside == {
        "stream": 1, "allocate": 3, "pinned": 1, "kernel": 1, "capture": 1, "event": 1,
        "queue": 4,  # a launch that is recorded, its replay, a copy and a mark
        "synchronize": 1, "release": 1,
    }  # fmt: skip
    assert device.released == 3
