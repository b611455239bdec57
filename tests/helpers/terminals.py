"""What a program shows on a terminal."""

import os
import pty
import subprocess
import sys
from collections.abc import Sequence


def on_a_terminal(code: str, columns: int = 400) -> str:
    """Run Python code on a terminal of so many columns, and return what it shows."""
    return shown_on_a_terminal([sys.executable, "-c", code], columns)


def shown_on_a_terminal(command: Sequence[str], columns: int, stdout: bool = True) -> str:
    """Run a command on a terminal, or its stderr alone, and return what that shows."""
    leader, follower = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": str(columns)}
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE"):
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
