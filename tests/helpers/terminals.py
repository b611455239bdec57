"""What a program shows on a terminal."""

import os
import pty
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from unittest import mock

_OF_COLOURS = ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE")


def on_a_terminal(code: str, columns: int = 400) -> str:
    """Run Python code on a terminal of so many columns, and return what it shows."""
    return shown_on_a_terminal([sys.executable, "-c", code], columns)


def shown_on_a_terminal(command: Sequence[str], columns: int, stdout: bool = True) -> str:
    """Run a command on a terminal, or its stderr alone, and return what that shows."""
    leader, follower = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": str(columns)}
    for name in _OF_COLOURS:
        environment.pop(name, None)
    process = subprocess.Popen(
        command,
        stdout=follower if stdout else subprocess.DEVNULL,
        stderr=follower,
        env=environment,
    )
    os.close(follower)
    shown = b""
    while True:
        try:
            piece = os.read(leader, 4096)
        except OSError:  # how Linux says that the other end is closed
            break
        if not piece:
            break
        shown += piece
    os.close(leader)
    assert process.wait() == 0
    return shown.decode()


class Terminal:
    """A terminal that this process' own streams are, while `terminal` lasts."""

    def __init__(self, leader: int) -> None:
        self._leader = leader
        self._read = b""
        self._reader = threading.Thread(target=self._read_on, daemon=True)
        self._reader.start()

    def _read_on(self) -> None:
        while True:
            try:
                piece = os.read(self._leader, 4096)
            except OSError:  # the other end is closed
                return
            if not piece:
                return
            self._read += piece

    def close(self) -> None:
        """Wait for what was written until the other end was closed."""
        self._reader.join()
        os.close(self._leader)

    @property
    def shown(self) -> str:
        """All that was written so far, escapes included."""
        return self._read.decode()

    def wait_for(self, text: str, seconds: float = 20.0) -> bool:
        """Whether the text is written within so long."""
        end = time.monotonic() + seconds
        while text not in self.shown and time.monotonic() < end:
            time.sleep(0.005)
        return text in self.shown


@contextmanager
def terminal(
    columns: int = 80,
    *,
    stdout: bool = True,
    stderr: bool = True,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Terminal]:
    """Within, stdout and stderr of this process (or one of them) are a terminal of so many columns.

    environment  variables beside TERM=xterm; of colours none is set but these
    """
    leader, follower = pty.openpty()
    shows = Terminal(leader)
    kept = {name: value for name, value in os.environ.items() if name not in _OF_COLOURS}
    kept |= {"TERM": "xterm", "COLUMNS": str(columns), **(environment or {})}
    with (
        mock.patch.dict(os.environ, kept, clear=True),
        open(follower, "w", encoding="utf-8") as stream,  # noqa: PTH123 - a number
        mock.patch.object(sys, "stdout", stream if stdout else sys.stdout),
        mock.patch.object(sys, "stderr", stream if stderr else sys.stderr),
    ):
        yield shows
    shows.close()
