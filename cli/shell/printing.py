"""Lines on stdout and stderr, whatever the names and messages in them hold."""

import contextlib
import io
import os
import sys
from typing import TextIO

from smoothcert.engine.base.errors import RunStoppedError
from smoothcert.engine.base.wording import printable, printable_line

SHOW_WARNINGS = "SMOOTHCERT_WARNINGS"
"""An environment variable: where it is set and not 0, the warnings of libraries are shown."""


def echo(text: object = "", err: bool = False) -> None:
    """Print one line, as `printable` has it, at once; RunStoppedError where that cannot be."""
    _print([printable(text)], err)


def echo_lines(text: str) -> None:
    """Print a text of several lines on stdout, each of them as `echo` does."""
    _print([printable(line) for line in text.split("\n")], err=False)


def _print(lines: list[str], err: bool) -> None:
    try:
        print("\n".join(lines), file=sys.stderr if err else sys.stdout, flush=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        name = "stderr" if err else "stdout"
        raise RunStoppedError(f"{name} cannot be written ({error.strerror})") from None


def complain(text: object) -> None:
    """Print one line on stderr; where that cannot be written, the exit code has to do."""
    try:
        print(f"smoothcert: {printable_line(text)}", file=sys.stderr, flush=True)
    except (OSError, ValueError):
        silence(sys.stderr, 2)


def silence(stream: TextIO, number: int) -> None:
    """Let what is still buffered for a stream that cannot be written go nowhere."""
    with contextlib.suppress(OSError, ValueError):  # no stream of this process (a test's)
        if stream.fileno() == number:
            os.dup2(os.open(os.devnull, os.O_WRONLY), number)


def prepare_streams() -> None:
    """What a program does first: it says what an encoding does not have in escapes, has no stream
    that a file could be mistaken for, and keeps the warnings of libraries to itself.

    A closed stdout is an error once something is printed there; a closed stderr is not.
    """
    _fill(0, os.O_RDONLY)
    if _fill(1, os.O_RDONLY):
        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    if _fill(2, os.O_WRONLY):
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if os.environ.get(SHOW_WARNINGS, "0") in ("", "0") and not sys.warnoptions:
        import logging
        import warnings

        logging.disable()  # of libraries: nothing of ours is logged so
        warnings.simplefilter("ignore")
        os.environ["PYTHONWARNINGS"] = "ignore"  # of the processes that are started from here


def _fill(number: int, flags: int) -> bool:
    """Whether a standard stream was closed: the next file to be opened, a log, would be it."""
    try:
        os.fstat(number)
    except OSError:
        handle = os.open(os.devnull, flags)  # the lowest free number, which this one is
        if handle != number:
            os.dup2(handle, number)
            os.close(handle)
        return True
    return False


def flush_stdout() -> OSError | None:
    """Write out what is buffered; what cannot be written is let go, and the error returned."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError as error:
        silence(sys.stdout, 1)
        return error
    return None
