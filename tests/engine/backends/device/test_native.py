"""A library's streams and events are used where they were made, whatever device is current."""

import contextlib
from collections.abc import Iterator

from smoothcert.engine.backends.device.native import NativeEvent, NativeStream


class Library:
    """A stream and an event at once, which note on which device they are called."""

    def __init__(self) -> None:
        self.device = "another"
        self.calls: list[tuple[str, str]] = []

    @contextlib.contextmanager
    def current(self) -> Iterator[None]:
        before, self.device = self.device, "its own"
        try:
            yield
        finally:
            self.device = before

    def synchronize(self) -> None:
        self.calls.append(("synchronize", self.device))

    def record(self, stream: object) -> None:
        assert stream is self
        self.calls.append(("record", self.device))


def test_calls_are_made_on_their_device_and_leave_the_callers() -> None:
    library = Library()
    stream = NativeStream(library, 0x5000, library.current)
    event = NativeEvent(library, library.current)
    event.record(stream)
    event.synchronize()
    stream.synchronize()
    assert library.calls == [
        ("record", "its own"), ("synchronize", "its own"), ("synchronize", "its own"),
    ]  # fmt: skip
    assert library.device == "another"
    assert stream.pointer == 0x5000
