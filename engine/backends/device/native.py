"""Streams and events of a CUDA library, each used on the device that it was made on."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

Current = Callable[[], AbstractContextManager[None]]
"""DeviceRuntime.current of the device that something was made on."""


class NativeStream:
    """See runtime.Stream; `native` is the library's own, `pointer` its cudaStream_t."""

    def __init__(self, native: Any, pointer: int, current: Current) -> None:
        self.native, self.pointer = native, pointer
        self._current = current

    def synchronize(self) -> None:
        """See runtime.Stream."""
        with self._current():
            self.native.synchronize()


class NativeEvent:
    """See runtime.Event; `native` is the library's own."""

    def __init__(self, native: Any, current: Current) -> None:
        self.native = native
        self._current = current

    def record(self, stream: NativeStream) -> None:
        """See runtime.Event."""
        with self._current():
            self.native.record(stream.native)

    def synchronize(self) -> None:
        """See runtime.Event."""
        with self._current():
            self.native.synchronize()
