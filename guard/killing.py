"""Forks that run the command line and are killed: after a time, or at one of their steps.

A step is an opening, renaming, removing, locking or the like of a file of the trial's folder: the
moments at which what lies on the disk is half of something. A kill is SIGKILL, for the process
alone or for the group it leads; nobody can clean up.
"""

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

MARK = "SMOOTHCERT_SOAK"
"""An environment variable that all processes of a trial carry."""

_STEPS = {
    "open", "os.chmod", "os.link", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.symlink",
    "os.truncate", "fcntl.flock", "tempfile.mkstemp", "tempfile.mkdtemp",
}  # fmt: skip


@dataclass(frozen=True)
class Kill:
    """When a run is killed: before the step of this number, or after so many seconds; `group`: with
    what it started."""

    step: int | None = None
    seconds: float = 0.0
    group: bool = False

    def __str__(self) -> str:
        moment = f"after {self.seconds:.3f} s" if self.step is None else f"before step {self.step}"
        return moment + (" with its workers" if self.group else "")


@dataclass(frozen=True)
class Run:
    """How a run ended: its exit code (-9: it was killed), steps taken, seconds."""

    code: int
    steps: int
    seconds: float


def run(work: Callable[[], object], folder: Path, said: Path, kill: Kill | None = None) -> Run:
    """Do a command's work in a fork, in `folder`; what it prints is appended to `said`.

    `work` ends by SystemExit, as the command line does; returning is exit 0.
    """
    counted = said.with_suffix(".steps")
    counted.unlink(missing_ok=True)
    began = time.monotonic()
    process = os.fork()
    if not process:
        _be_run(work, folder, said, counted, kill)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.setpgid(process, process)
    timer = None
    if kill is not None and kill.step is None:
        timer = threading.Timer(kill.seconds, _killed, (process, kill.group))
        timer.start()
    _, status = os.waitpid(process, 0)
    if timer is not None:
        timer.cancel()
        timer.join()
    code = os.waitstatus_to_exitcode(status)
    if code < 0 and kill is not None and kill.group:
        _killed(process, True)
    steps = int(counted.read_text()) if counted.exists() else 0
    return Run(code, steps, time.monotonic() - began)


def _killed(process: int, group: bool) -> None:
    with contextlib.suppress(ProcessLookupError):
        (os.killpg if group else os.kill)(process, signal.SIGKILL)


def _be_run(
    work: Callable[[], object], folder: Path, said: Path, counted: Path, kill: Kill | None
) -> None:
    code = 1
    try:
        with contextlib.suppress(PermissionError):
            os.setpgid(0, 0)
        os.chdir(folder)
        os.environ[MARK] = str(folder)
        os.environ["SMOOTHCERT_CACHE"] = str(folder / "cache")
        handle = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        for standard in (1, 2):
            os.dup2(handle, standard)
        sys.stdout, sys.stderr = (os.fdopen(each, "w", closefd=False) for each in (1, 2))
        steps = _count_steps(str(folder), None if kill is None else kill.step)
        try:
            work()
            code = 0
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else int(bool(ended.code))
        counted.write_text(str(steps[0]))
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _count_steps(folder: str, last: int | None) -> list[int]:
    """Count this process's steps in [0] of what is returned; end it before the one of a number."""
    steps = [0]
    process = os.getpid()

    def step(event: str, arguments: tuple[object, ...]) -> None:
        if event not in _STEPS or os.getpid() != process:
            return
        what = arguments[0] if arguments else None
        if isinstance(what, str | bytes | os.PathLike):
            path = os.fsdecode(what)
            ours = path.startswith(folder) or not path.startswith("/")  # it works in the folder
        else:
            ours = isinstance(what, int)
        if ours:
            steps[0] += 1
            if steps[0] == last:
                os.kill(process, signal.SIGKILL)

    sys.addaudithook(step)
    return steps


def of_trial(folder: Path) -> list[int]:
    """The processes that a trial in this folder left behind."""
    mark = f"{MARK}={folder}\0".encode()
    found = []
    for process in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if process.name.isdigit() and mark in (process / "environ").read_bytes():
                found.append(int(process.name))
    return found


def left_behind(folder: Path, seconds: float) -> list[str]:
    """Wait until a trial's processes have ended of themselves; end those that have not, and say
    what they are."""
    limit = time.monotonic() + seconds
    while left := of_trial(folder):
        if time.monotonic() > limit:
            found = []
            for process in left:
                with contextlib.suppress(OSError):
                    command = Path(f"/proc/{process}/cmdline").read_bytes().replace(b"\0", b" ")
                    found.append(f"{process} {command[:120].decode(errors='replace')}")
                    os.kill(process, signal.SIGKILL)
            return found
        time.sleep(0.05)
    return []
