"""One line on a terminal's stderr that says what is being done, how far it is, and how long it will
take: where no progress bar does. It is written over itself, and gone when the work is.

Imports nothing heavy: it is there while everything else is imported.
"""

import os
import sys
import threading
import time
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field

from smoothcert.cli.shell import printing, signals
from smoothcert.engine.base.doing import heard_by
from smoothcert.engine.base.wording import printable_line

_FIRST, _AGAIN = 0.5, 0.2
"""Seconds until the line is first drawn, and drawn again."""

_ERASED = b"\r\x1b[K"


def draws() -> bool:
    """Whether stderr is a terminal on which a line can be written over."""
    return sys.stderr.isatty() and printing.knows_escapes()


@contextmanager
def shown(what: str) -> Iterator[None]:
    """Within, a terminal shows what engine/base/doing.py is told, and `what` where it is told
    nothing; elsewhere nothing is shown."""
    if not draws():
        yield
        return
    line = _Line(what)
    try:
        with heard_by(line):
            yield
    finally:
        line.close()


@dataclass
class _Work:
    what: str
    total: int | None
    done: int = 0
    since: float = field(default_factory=time.monotonic)

    def words(self, now: float) -> tuple[str, str]:
        """What it is, which may be shortened, and how far it is."""
        spent = now - self.since
        if not self.total:
            return self.what, clock(spent)
        far = f"{self.done:,} of {self.total:,}, {self.done / self.total:.0%}, {clock(spent)}"
        if 0 < self.done < self.total:
            far += f", {clock(spent / self.done * (self.total - self.done))} left"
        return self.what, far


class _Line:
    """A Listener (engine/base/doing.py), which a thread draws."""

    def __init__(self, what: str) -> None:
        # Libraries' words are kept from the user by turning stderr away, which this is not part of.
        self._handle = os.dup(sys.stderr.fileno())
        self._encoding = sys.stderr.encoding or "ascii"
        self._works = {0: _Work(what, None)}
        self._last = 0
        self._paused = 0
        self._drawn = False
        self._lock = threading.RLock()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._draw_on, daemon=True)
        printing.undisturbed = self._undisturbed
        self._thread.start()

    def begin(self, what: str, total: int | None) -> int:
        """See Listener.begin."""
        with self._lock:
            self._last += 1
            self._works[self._last] = _Work(printable_line(what), total)
            return self._last

    def step(self, work: int, done: int) -> None:
        """See Listener.step."""
        self._works[work].done = done

    def end(self, work: int) -> None:
        """See Listener.end."""
        with self._lock:
            del self._works[work]

    def pause(self) -> None:
        """See Listener.pause."""
        with self._lock:
            self._erase()
            self._paused += 1

    def resume(self) -> None:
        """See Listener.resume."""
        with self._lock:
            self._paused -= 1

    def close(self) -> None:
        """Erase the line and draw no more."""
        self._closed.set()
        self._thread.join()
        with self._lock:
            self._erase()
        printing.undisturbed = nullcontext
        os.close(self._handle)

    @contextmanager
    def _undisturbed(self) -> Iterator[None]:
        with self._lock:
            self._erase()
            yield

    def _draw_on(self) -> None:
        wait = _FIRST
        while not self._closed.wait(wait):
            wait = _AGAIN
            with self._lock:
                if not self._paused:
                    self._draw()

    def _draw(self) -> None:
        what, far = list(self._works.values())[-1].words(time.monotonic())
        text = f"{fitting(what, self._columns() - len(far) - 3)}  {far}"
        # The cursor stays in front: whatever is printed next by others begins there.
        self._write(text.encode(self._encoding, "backslashreplace") + b"\x1b[K\r")
        self._drawn = True
        signals.before = _ERASED

    def _erase(self) -> None:
        if self._drawn:
            self._write(_ERASED)
            self._drawn = False
            signals.before = b""

    def _write(self, data: bytes) -> None:
        try:
            os.write(self._handle, data)
        except OSError:  # a terminal that has gone: the command goes on
            self._paused += 1

    def _columns(self) -> int:
        try:
            return int(os.environ["COLUMNS"])
        except (KeyError, ValueError):
            pass
        try:
            return os.get_terminal_size(self._handle).columns
        except OSError:
            return 80


def clock(seconds: float) -> str:
    """A time span: 0:07, 12:34, 3:00:09."""
    whole = int(seconds)
    hours = f"{whole // 3600}:{whole // 60 % 60:02d}" if whole >= 3600 else f"{whole // 60}"
    return f"{hours}:{whole % 60:02d}"


def fitting(text: str, columns: int) -> str:
    """The text, its middle left out where it would take more columns of a terminal."""
    if _cells(text) <= columns:
        return text
    half = max(columns - 3, 0) // 2
    left, right = text, text
    while _cells(left) > half:
        left = left[:-1]
    while _cells(right) > half:
        right = right[1:]
    return f"{left}...{right}"


def _cells(text: str) -> int:
    return sum(1 + (unicodedata.east_asian_width(c) in "WF") for c in text)
