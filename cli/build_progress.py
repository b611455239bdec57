"""The phases of an engine build on a terminal's stderr. Silent in a pipe."""

import sys
from threading import Lock
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)


class BuildProgress:
    """A BuildWatcher (export/build_monitor.py) with one bar per phase that is under way."""

    def __init__(self) -> None:
        console = Console(file=sys.stderr)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
            transient=True,
        )
        self._lock = Lock()
        self._phases: dict[str, tuple[TaskID, int]] = {}

    def __enter__(self) -> "BuildProgress":
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def start(self, phase: str, parent: str | None, steps: int) -> None:
        """See BuildWatcher.start."""
        with self._lock:
            depth = self._phases[parent][1] + 1 if parent in self._phases else 0
            task = self._progress.add_task("  " * depth + phase, total=steps)
            self._phases[phase] = (task, depth)

    def step(self, phase: str, done: int) -> None:
        """See BuildWatcher.step."""
        with self._lock:
            if phase in self._phases:
                self._progress.update(self._phases[phase][0], completed=done)

    def finish(self, phase: str) -> None:
        """See BuildWatcher.finish."""
        with self._lock:
            if phase in self._phases:
                self._progress.remove_task(self._phases.pop(phase)[0])
