"""Fresh virtual environments, in which nothing of the one that is running is seen."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


class StepError(Exception):
    """A command that failed; its output is the message."""


@dataclass(frozen=True)
class Environment:
    """A virtual environment in a folder of its own."""

    folder: Path

    def make(self, python: str) -> None:
        """Make it anew, of an interpreter on the PATH; StepError where that does not work."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        call([python, "-m", "venv", str(self.folder)], ROOT)

    def install(self, *arguments: str) -> None:
        """pip install, quietly."""
        self.python("-m", "pip", "--disable-pip-version-check", "-q", "install", *arguments)

    def python(self, *arguments: str, within: Path = ROOT) -> str:
        """Run its Python; what it prints."""
        return call([str(self.folder / "bin" / "python"), *arguments], within)

    def smoothcert(self, *arguments: str, within: Path) -> str:
        """Run the installed command; what it prints."""
        return call([str(self.folder / "bin" / "smoothcert"), *arguments], within)


def call(command: Sequence[str], within: Path) -> str:
    """stdout of a command that sees no other environment; StepError where it fails."""
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    try:
        done = subprocess.run(
            command, cwd=within, env=environment, capture_output=True, text=True, check=False
        )
    except OSError as error:
        raise StepError(f"{command[0]}: {error.strerror}") from None
    if done.returncode:
        raise StepError(f"{' '.join(command)}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}")
    return done.stdout


class Results:
    """Lines of a table, printed as they come; what failed is told below its line."""

    def __init__(self) -> None:
        self.failed = False

    def step(self, name: str, work: Callable[[], str | None]) -> bool:
        """Do one step and print what came of it; whether it went well."""
        start = time.perf_counter()
        try:
            said = work()
        except StepError as error:
            self.failed = True
            print(f"{name:<46} FAILED\n{error}", flush=True)
            return False
        print(f"{name:<46} {time.perf_counter() - start:6.1f} s  {said or ''}", flush=True)
        return True

    def exit(self) -> None:
        """Exit 1 where a step failed."""
        sys.exit(1 if self.failed else 0)
