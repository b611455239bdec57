"""doctor as a user sees it: in a pipe, on a terminal, as JSON."""

import json
import os
import pty
import re
import subprocess
import sys

from click.testing import CliRunner

from smoothcert.cli.doctor import command
from smoothcert.engine.base.machine import diagnose


def test_json_is_the_report() -> None:
    assert json.loads(CliRunner().invoke(command, ["--json"]).output) == diagnose()


def test_a_pipe_gets_aligned_columns() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "smoothcert.cli.main", "doctor"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    report = diagnose()
    lines = done.stdout.splitlines()
    assert len(lines) == len(report)
    assert len({line.index(e["note"]) for line, e in zip(lines, report, strict=True)}) == 1


def test_a_terminal_shows_every_word() -> None:
    shown = _on_a_terminal("from smoothcert.cli.doctor import command; command([])")
    assert "\x1b[" in shown  # it was taken for a terminal
    text = re.sub(r"\x1b\[[0-9;]*m", "", shown)
    for entry in diagnose():
        # Among them the brackets of 'smoothcert[gpu]', which rich would take for a style.
        assert entry["note"] in text or entry["part"] == "cache"


def _on_a_terminal(code: str) -> str:
    leader, follower = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "400"}
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE"):
        environment.pop(name, None)
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=follower, stderr=follower, env=environment
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
