"""Signals that end a command: from its first moment on it ends with one line and exit code 130.

Imports nothing but what Python has loaded already: it is in place before anything else is imported.
"""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NoReturn

INTERRUPTED = "smoothcert: interrupted; the same command resumes"
STATUS = 130

before = b""
"""What erases the line that is being drawn on a terminal, if any (activity.py sets it)."""

_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")
"""Ctrl-C, a machine that goes away, a terminal that does."""


@contextmanager
def interruptible(restore: bool) -> Iterator[None]:
    """Within, a signal raises KeyboardInterrupt; but where something is being imported, which may
    swallow it or be left half done, and where Python would ignore it (a finaliser, a callback of
    C), the process ends at once.

    Signals that the caller has the process ignore (nohup, a job in a script's background) stay
    ignored. Outside a main thread nothing is changed. `restore`: afterwards all is as before.
    """
    before = {}
    hook = sys.unraisablehook

    def unraisable(ignored: "sys.UnraisableHookArgs") -> None:
        if issubclass(ignored.exc_type, KeyboardInterrupt):
            _end()
        hook(ignored)

    try:
        for name in _SIGNALS:
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
                before[number] = signal.signal(number, _interrupt)
                sys.unraisablehook = unraisable
    except ValueError:  # not the main thread: its signals are not ours
        pass
    try:
        yield
    finally:
        if restore:
            for number, handler in before.items():
                signal.signal(number, handler)
            sys.unraisablehook = hook


def end_quietly(status: int) -> None:
    """From now on a signal ends the process with `status`: all is said and done."""

    def end(signum: int, frame: FrameType | None) -> NoReturn:
        os._exit(status)

    for name in _SIGNALS:
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, end)


def _interrupt(signum: int, frame: FrameType | None) -> None:
    if _importing(frame):
        _end()
    raise KeyboardInterrupt


def _end() -> NoReturn:
    with suppress(OSError):
        os.write(2, before + f"{INTERRUPTED}\n".encode())
    os._exit(STATUS)


def _importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False
