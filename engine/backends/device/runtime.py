"""The device runtime protocol: what the device backend needs of a GPU, and nothing more.

Everything asynchronous is queued on a stream and happens in the order of that stream; nothing here
waits but `Stream.synchronize` and `Event.synchronize`. CuPy and PyCUDA implement it, and in the
tests a host runtime that runs the same kernels on the CPU.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from smoothcert.cupy_kernels.loader import Kernel
from smoothcert.engine.base.errors import DeviceMemoryError, one_line


@dataclass(frozen=True)
class DeviceProperties:
    """A device: `shared_memory` is what one block may ask for, `memory` all there is, in bytes."""

    name: str
    compute_capability: str
    multiprocessors: int
    shared_memory: int
    memory: int


@dataclass(frozen=True)
class DeviceArray:
    """A contiguous array in device memory; `owner` keeps the memory alive."""

    pointer: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    owner: object = field(repr=False, compare=False)

    @property
    def nbytes(self) -> int:
        """Its size in bytes."""
        return int(np.prod(self.shape)) * self.dtype.itemsize

    def __getitem__(self, index: int) -> "DeviceArray":
        """The index-th of the parts along the first dimension."""
        if not 0 <= index < self.shape[0]:
            raise IndexError(f"index {index} of an array of {self.shape[0]}")
        rest = self.shape[1:]
        step = int(np.prod(rest)) * self.dtype.itemsize
        return DeviceArray(self.pointer + index * step, rest, self.dtype, self.owner)


class Event(Protocol):
    """A point in the work of a stream."""

    def record(self, stream: Any) -> None:
        """Mark what is queued on the stream so far; an earlier mark is forgotten."""
        ...

    def synchronize(self) -> None:
        """Wait until the marked work is done."""
        ...


class Stream(Protocol):
    """A queue of work, not the default one. `pointer` is its cudaStream_t."""

    @property
    def pointer(self) -> int:
        """The address that other libraries take as a stream."""
        ...

    def synchronize(self) -> None:
        """Wait until everything queued is done."""
        ...


Launch = Callable[[Any], None]
"""A kernel with its arguments: queues one launch on the stream it is given."""

Replay = Callable[[], None]
"""A recorded graph: queues one replay on the stream it was recorded from."""

Argument = DeviceArray | np.generic
"""An array, passed as its address, or a numpy scalar, passed by value."""


class DeviceRuntime(Protocol):
    """One device. To be used from the thread that made it.

    A thread has one current device, and other libraries change it. Each method, and each of what
    they return, works whichever is current when it is called, and leaves that one current.
    Whatever is queued or made may find the device out of memory: then DeviceMemoryError is raised,
    in one line.
    """

    @property
    def properties(self) -> DeviceProperties:
        """What the device is."""
        ...

    @property
    def can_capture(self) -> bool:
        """Whether `capture` may be called."""
        ...

    def current(self) -> AbstractContextManager[None]:
        """Within it this device is the thread's current one, for other libraries too; afterwards
        the one that was before is again."""
        ...

    def allocate(self, shape: tuple[int, ...], dtype: npt.DTypeLike) -> DeviceArray:
        """Device memory, 256-byte aligned, zeros. Raises DeviceMemoryError where there is not
        enough."""
        ...

    def pinned(self, shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        """Host memory, zeros, that copies need not wait for. Raises DeviceMemoryError where the
        system gives no more."""
        ...

    def release(self) -> None:
        """Give memory that is kept for later, but in no use, back to the device, so that another
        library or a second try can have it."""
        ...

    def stream(self) -> Any:
        """A new Stream."""
        ...

    def event(self) -> Any:
        """A new Event."""
        ...

    def upload(self, source: npt.NDArray[Any], target: DeviceArray, stream: Any) -> None:
        """Queue a copy to the device. `source` is pinned and stays as it is until it is done."""
        ...

    def download(self, source: DeviceArray, target: npt.NDArray[Any], stream: Any) -> None:
        """Queue a copy from the device; `target` is pinned and holds it once it is done."""
        ...

    def kernel(
        self,
        kernel: Kernel,
        grid: int,
        block: int,
        arguments: Sequence[Argument],
        shared_bytes: int = 0,
    ) -> Launch:
        """Load a kernel and fix its launch: `grid` blocks of `block` threads.

        Raises DeviceUnavailableError where it cannot be compiled for this device, or loaded.
        """
        ...

    def capture(self, work: Callable[[], None], stream: Any) -> Replay:
        """Record what `work` queues on the stream, which runs nothing, into a graph.

        Raises DeviceMemoryError where the device has no room for the graph, and RuntimeError where
        it cannot be recorded; the stream is then usable as before.
        """
        ...

    def describe(self) -> dict[str, Any]:
        """What a manifest records: device, driver, the runtime's name and version."""
        ...


def same_size(source: Any, target: Any) -> None:
    """Refuse a copy between arrays of different sizes: device memory has no bounds checks."""
    if source.nbytes != target.nbytes:
        raise ValueError(f"a copy of {source.nbytes} bytes into {target.nbytes}")


def values_of(arguments: Sequence[Argument]) -> tuple[np.generic, ...]:
    """What a kernel is called with: arrays as their addresses, which do not keep them alive."""
    return tuple(np.uint64(a.pointer) if isinstance(a, DeviceArray) else a for a in arguments)


def no_room(error: object, size: int | None = None) -> DeviceMemoryError:
    """What is said where a library's `error` means that memory is out: `size` bytes were asked for,
    where that is known."""
    more = "more" if size is None else f"another {size / 1e6:,.1f} MB"
    return DeviceMemoryError(
        f"the device has no room for {more} ({one_line(error)}): expected a smaller --batch"
    )
