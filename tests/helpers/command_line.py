"""The command line as a user types it, its output in pipes: in this process, since importing all
of it anew takes a second or two, or in one of its own."""

import contextlib
import io
import os
import subprocess
import sys
from subprocess import CompletedProcess

from smoothcert.cli.main import main


def smoothcert(*arguments: object) -> CompletedProcess[str]:
    """Run a command in this process; what it leaves is as of a process that ended."""
    words = list(map(str, arguments))
    out, err = io.StringIO(), io.StringIO()
    status: object = None
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main(words)
        except SystemExit as ended:
            status = ended.code
    assert isinstance(status, int)
    return CompletedProcess(["smoothcert", *words], status, out.getvalue(), err.getvalue())


def smoothcert_process(*arguments: object, **environment: str) -> CompletedProcess[str]:
    """Run a command in a process of its own, with these variables of the environment."""
    return subprocess.run(
        [sys.executable, "-m", "smoothcert.cli.main", *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        check=False,
    )
