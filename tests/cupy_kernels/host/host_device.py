"""A device runtime on the CPU: the kernels by g++, memory in numpy, streams that run late.

A HostDevice implements DeviceRuntime (engine/backends/device/runtime.py) and does what a GPU may
do: work queued on a stream happens at any time until something waits for it, and work of two
streams in any order that their events allow. How late is chosen: "eager" runs everything when it is
queued, "late" only what is waited for, an integer seeds something in between. A copy that reads
host memory too late, or a buffer used again too early, then gives other bytes.
"""

import ctypes
import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from host_runtime import HostRuntime, host_runtime

from smoothcert.cupy_kernels.loader import Kernel
from smoothcert.engine.backends.device.runtime import (
    Argument,
    DeviceArray,
    DeviceProperties,
    Launch,
    Replay,
    same_size,
)

When = Literal["eager", "late"] | int


@dataclass(frozen=True)
class _Marked:
    """What a stream waits for: an event, as recorded for the turn-th time."""

    event: "HostEvent"
    turn: int


class HostStream:
    """See base.Stream."""

    def __init__(self, device: "HostDevice", pointer: int) -> None:
        self.pointer = pointer
        self._device = device
        self._queue: deque[Callable[[], None] | _Marked] = deque()
        self.recording: list[Callable[[], None]] | None = None

    def queue(self, work: Callable[[], None]) -> None:
        """Work of any kind: done at some time, in order."""
        if self.recording is not None:
            self.recording.append(work)
            return
        self._queue.append(work)
        self._device.maybe_run()

    def wait(self, event: "HostEvent") -> None:
        """See base.Stream."""
        self._not_while_recording()
        if event.turn:
            self._queue.append(_Marked(event, event.turn))
        self._device.maybe_run()

    def synchronize(self) -> None:
        """See base.Stream."""
        self._not_while_recording()
        while self.step():
            pass

    def step(self) -> bool:
        """Do the next piece of work, and first what it waits for; False where there is none."""
        if not self._queue:
            return False
        work = self._queue.popleft()
        if isinstance(work, _Marked):
            work.event.reach(work.turn)
        else:
            work()
        return True

    def _not_while_recording(self) -> None:
        if self.recording is not None:
            self.recording = None
            raise RuntimeError("the stream is being captured")


class HostEvent:
    """See base.Event."""

    def __init__(self) -> None:
        self.turn = self._reached = 0
        self._stream: HostStream | None = None

    def record(self, stream: HostStream) -> None:
        """See base.Event."""
        self.turn += 1
        self._stream = stream
        turn = self.turn

        def mark() -> None:
            self._reached = turn

        stream.queue(mark)

    def synchronize(self) -> None:
        """See base.Event."""
        if self._stream is not None and self._stream.recording is not None:
            self._stream.synchronize()  # refuses
        self.reach(self.turn)

    def reach(self, turn: int) -> None:
        """Run the stream up to the mark of that turn."""
        while self._reached < turn:
            assert self._stream is not None
            assert self._stream.step()


class HostDevice:
    """See the module's text."""

    can_capture = True

    def __init__(self, when: When = "late", shared_memory: int = 227 * 1024) -> None:
        self.properties = DeviceProperties("the host", "0.0", 2, shared_memory, 2**30)
        self.streams: dict[int, HostStream] = {}
        self.allocated = 0
        self.uploaded = self.downloaded = 0
        self._when = when
        self._random = random.Random(when)
        self._runtime: HostRuntime = host_runtime()

    def maybe_run(self) -> None:
        """A moment at which a device may have come any distance."""
        if self._when == "late":
            return
        streams = list(self.streams.values())
        if self._when == "eager":
            for stream in streams:
                while stream.step():
                    pass
            return
        for _ in range(self._random.randrange(4)):
            self._random.choice(streams).step()

    def allocate(self, shape: tuple[int, ...], dtype: npt.DTypeLike) -> DeviceArray:
        """See base.DeviceRuntime."""
        memory = self._runtime.allocate(shape, dtype)
        memory.view(np.uint8)[...] = 0
        self.allocated += memory.nbytes
        return DeviceArray(memory.ctypes.data, shape, memory.dtype, memory)

    def pinned(self, shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        """See base.DeviceRuntime."""
        return np.zeros(shape, dtype)

    def stream(self) -> HostStream:
        """See base.DeviceRuntime."""
        pointer = 0x5000 + len(self.streams)
        self.streams[pointer] = HostStream(self, pointer)
        return self.streams[pointer]

    def event(self) -> HostEvent:
        """See base.DeviceRuntime."""
        return HostEvent()

    def upload(self, source: npt.NDArray[Any], target: DeviceArray, stream: HostStream) -> None:
        """See base.DeviceRuntime."""
        same_size(source, target)
        self.uploaded += source.nbytes

        def copy() -> None:
            bytes_at(target)[...] = source.reshape(-1).view(np.uint8)

        stream.queue(copy)

    def download(self, source: DeviceArray, target: npt.NDArray[Any], stream: HostStream) -> None:
        """See base.DeviceRuntime."""
        same_size(source, target)
        self.downloaded += target.nbytes

        def copy() -> None:
            target.reshape(-1).view(np.uint8)[...] = bytes_at(source)

        stream.queue(copy)

    def kernel(
        self,
        kernel: Kernel,
        grid: int,
        block: int,
        arguments: Sequence[Argument],
        shared_bytes: int = 0,
    ) -> Launch:
        """See base.DeviceRuntime."""
        assert shared_bytes <= self.properties.shared_memory
        values = [np.uint64(a.pointer) if isinstance(a, DeviceArray) else a for a in arguments]
        owners = [a.owner for a in arguments if isinstance(a, DeviceArray)]

        def launch(stream: HostStream, _keep: Any = owners) -> None:
            stream.queue(lambda: self._runtime.launch(kernel, grid, block, values, shared_bytes))

        return launch

    def capture(self, work: Callable[[], None], stream: HostStream) -> Replay:
        """See base.DeviceRuntime."""
        stream.recording = []
        try:
            work()
            recorded = stream.recording
        finally:
            stream.recording = None
        if recorded is None:
            raise RuntimeError("the capture was invalidated")

        def replay() -> None:
            for piece in recorded:
                stream.queue(piece)

        return replay

    def describe(self) -> dict[str, Any]:
        """See base.DeviceRuntime."""
        return {"device": self.properties.name, "kernels": "g++"}


def array_at(pointer: int, shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """The array at an address."""
    kind = np.dtype(dtype)
    size = int(np.prod(shape)) * kind.itemsize
    memory = memoryview((ctypes.c_uint8 * size).from_address(pointer)).cast("B")
    return np.frombuffer(memory, np.uint8).view(kind).reshape(shape)


def bytes_at(array: DeviceArray) -> npt.NDArray[np.uint8]:
    """The bytes of a device array."""
    return array_at(array.pointer, (array.nbytes,), np.uint8)
