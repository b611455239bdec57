"""Lines on stdout and stderr, whatever the names and messages in them hold."""

import contextlib
import io
import os
import shutil
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TextIO

from smoothcert.engine.base.errors import RunStoppedError
from smoothcert.engine.base.wording import printable, printable_line

SHOW_WARNINGS = "SMOOTHCERT_WARNINGS"
"""An environment variable: where it is set and not 0, the warnings of libraries are shown."""


QUIET = "smoothcert.quiet"
"""Of a click context's meta: whether --quiet was given."""

undisturbed: Callable[[], AbstractContextManager[object]] = nullcontext
"""Within what it gives, no other display is on the terminal (activity.py sets it)."""


def is_quiet() -> bool:
    """Whether the command that runs in this thread is to print nothing but results and errors."""
    import click

    context = click.get_current_context(silent=True)
    return context is not None and bool(context.meta.get(QUIET))


def echo(text: object = "", err: bool = False) -> None:
    """Say what is no result, in one line, as `printable` has it, at once; nothing with --quiet.
    Raises RunStoppedError where that cannot be."""
    if not is_quiet():
        _print([printable(text)], err)


def echo_result(text: object) -> None:
    """Print a line that a command was called for on stdout, as `echo` does, with --quiet too."""
    _print([printable(text)], err=False)


def echo_dim(text: object) -> None:
    """Say a line of little weight on stderr: dim, where that is a terminal that can show it."""
    line = printable(text)
    if knows_escapes() and not os.environ.get("NO_COLOR"):
        line = f"\x1b[2m{line}\x1b[0m"
    _print([line], err=True)


def echo_lines(text: str) -> None:
    """Print a result of several lines."""
    _print([printable(line) for line in text.split("\n")], err=False)


def _print(lines: list[str], err: bool) -> None:
    try:
        with undisturbed():
            print("\n".join(lines), file=sys.stderr if err else sys.stdout, flush=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        name = "stderr" if err else "stdout"
        raise RunStoppedError(f"{name} cannot be written ({error.strerror})") from None


def knows_escapes() -> bool:
    """Whether escape sequences mean anything to the terminal, where there is one."""
    return os.environ.get("TERM", "") not in ("", "dumb", "unknown")


def terminal_width() -> int | None:
    """The columns of stdout; None where it is no terminal, and lines may be as long as they are."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def complain(text: object) -> None:
    """Print one line on stderr; where that cannot be written, the exit code has to do."""
    try:
        with undisturbed():
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
