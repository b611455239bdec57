"""A device runtime on the CPU: the kernels by g++, memory in numpy, streams that run late.

A HostDevice implements DeviceRuntime (engine/backends/device/runtime.py) and does what a GPU may
do: work queued on a stream happens at any time until something waits for it, and work of two
streams in any order. How late is chosen: "eager" runs everything when it is
queued, "late" only what is waited for, an integer seeds something in between. A copy that reads
host memory too late, or a buffer used again too early, then gives other bytes.

What is queued, made or waited for while the device is not the current one is counted in `outside`:
the runtimes of GPUs cope with it, but a network's own libraries may be on another device then.
"""

import contextlib
import ctypes
import random
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
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
    values_of,
)

When = Literal["eager", "late"] | int


class HostStream:
    """See runtime.Stream."""

    def __init__(self, device: "HostDevice", pointer: int) -> None:
        self.pointer = pointer
        self._device = device
        self._queue: deque[Callable[[], None]] = deque()
        self.recording: list[Callable[[], None]] | None = None

    def queue(self, work: Callable[[], None]) -> None:
        """Work of any kind: done at some time, in order."""
        self._device.note("queue")
        if self.recording is not None:
            self.recording.append(work)
            return
        self._queue.append(work)
        self._device.maybe_run()

    def synchronize(self) -> None:
        """See runtime.Stream."""
        self._device.note("synchronize")
        self._not_while_recording()
        while self.step():
            pass

    def step(self) -> bool:
        """Do the next piece of work; False where there is none."""
        if not self._queue:
            return False
        self._queue.popleft()()
        return True

    def _not_while_recording(self) -> None:
        if self.recording is not None:
            self.recording = None
            raise RuntimeError("the stream is being captured")


class HostEvent:
    """See runtime.Event."""

    def __init__(self) -> None:
        self.turn = self._reached = 0
        self._stream: HostStream | None = None

    def record(self, stream: HostStream) -> None:
        """See runtime.Event."""
        self.turn += 1
        self._stream = stream
        turn = self.turn

        def mark() -> None:
            self._reached = turn

        stream.queue(mark)

    def synchronize(self) -> None:
        """See runtime.Event."""
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
        self.allocated = self.released = 0
        self.depth = 0
        """How many `current()` are open."""
        self.outside: Counter[str] = Counter()
        """Calls made in none, by name: queue (copies, launches, replays, a network's runs),
        synchronize (of streams), allocate, pinned, stream, event, kernel, capture, release."""
        self.uploaded = self.downloaded = 0
        self._when = when
        self._random = random.Random(when)
        self._runtime: HostRuntime = host_runtime()

    @contextlib.contextmanager
    def current(self) -> Iterator[None]:
        """See runtime.DeviceRuntime."""
        self.depth += 1
        try:
            yield
        finally:
            self.depth -= 1

    def note(self, call: str) -> None:
        """Count a call that is made while the device is not the current one."""
        if not self.depth:
            self.outside[call] += 1

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
        """See runtime.DeviceRuntime."""
        self.note("allocate")
        memory = self._runtime.allocate(shape, dtype)
        memory.view(np.uint8)[...] = 0
        self.allocated += memory.nbytes
        return DeviceArray(memory.ctypes.data, shape, memory.dtype, memory)

    def pinned(self, shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        """See runtime.DeviceRuntime."""
        self.note("pinned")
        return np.zeros(shape, dtype)

    def release(self) -> None:
        """See runtime.DeviceRuntime; counted, as there is nothing to give back."""
        self.note("release")
        self.released += 1

    def stream(self) -> HostStream:
        """See runtime.DeviceRuntime."""
        self.note("stream")
        pointer = 0x5000 + len(self.streams)
        self.streams[pointer] = HostStream(self, pointer)
        return self.streams[pointer]

    def event(self) -> HostEvent:
        """See runtime.DeviceRuntime."""
        self.note("event")
        return HostEvent()

    def upload(self, source: npt.NDArray[Any], target: DeviceArray, stream: HostStream) -> None:
        """See runtime.DeviceRuntime."""
        same_size(source, target)
        self.uploaded += source.nbytes

        def copy() -> None:
            bytes_at(target)[...] = source.reshape(-1).view(np.uint8)

        stream.queue(copy)

    def download(self, source: DeviceArray, target: npt.NDArray[Any], stream: HostStream) -> None:
        """See runtime.DeviceRuntime."""
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
        """See runtime.DeviceRuntime."""
        self.note("kernel")
        assert shared_bytes <= self.properties.shared_memory
        values = values_of(arguments)

        def launch(stream: HostStream, _keep: Any = arguments) -> None:
            stream.queue(lambda: self._runtime.launch(kernel, grid, block, values, shared_bytes))

        return launch

    def capture(self, work: Callable[[], None], stream: HostStream) -> Replay:
        """See runtime.DeviceRuntime."""
        self.note("capture")
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
        """See runtime.DeviceRuntime."""
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
