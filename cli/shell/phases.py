"""Progress of an engine's build and of a training, on a terminal's stderr; silent in a pipe."""

import math
import time
from threading import Lock
from typing import TYPE_CHECKING

from rich.progress import (
    BarColumn,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from smoothcert.engine.base.wording import printable
from smoothcert.progress import TerminalProgress

if TYPE_CHECKING:
    from smoothcert.training.epoch_log import Epoch


class BuildProgress(TerminalProgress):
    """A BuildWatcher (engine/backends/tensorrt/monitor.py): one bar per phase that is under way."""

    def __init__(self, *, quiet: bool = False) -> None:
        super().__init__(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            quiet=quiet,
        )
        self._lock = Lock()
        self._phases: dict[str, tuple[TaskID, int]] = {}

    def start(self, phase: str, parent: str | None, steps: int) -> None:
        """See BuildWatcher.start."""
        with self._lock:
            depth = self._phases[parent][1] + 1 if parent in self._phases else 0
            task = self._progress.add_task("  " * depth + printable(phase), total=steps)
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


class TrainingProgress(TerminalProgress):
    """A Watcher (training/trainer.py) that draws on a terminal's stderr."""

    def __init__(self, *, quiet: bool = False) -> None:
        super().__init__(
            TextColumn("epoch {task.fields[epoch]}"),
            BarColumn(bar_width=20),
            TaskProgressColumn(),
            TextColumn("{task.fields[rate]} samples/s"),
            TextColumn("{task.fields[result]}"),
            TimeRemainingColumn(compact=True),
            TextColumn("left"),
            quiet=quiet,
        )
        self._task = self._progress.add_task("train", total=None, epoch="0", rate="-", result="")
        self._epochs = self._total = self._before = self._here = 0
        self._start = time.monotonic()

    def begin(self, epochs: int, done: int, images: int) -> None:
        """See Watcher.begin."""
        self._epochs, self._total, self._before = epochs, epochs * images, done * images
        self._start = time.monotonic()

    def step(self, epoch: int, images: int, loss: float, accuracy: float) -> None:
        """See Watcher.step."""
        self._here += images
        rate = self._here / max(time.monotonic() - self._start, 1e-9)
        self._progress.update(
            self._task,
            completed=self._before + self._here,
            total=self._total,
            epoch=f"{epoch + 1}/{self._epochs}",
            rate=f"{rate:,.0f}",
            result=f"loss {loss:.3f}, right {accuracy:.1f} %",
        )

    def epoch(self, epoch: "Epoch") -> None:
        """See Watcher.epoch: a line that stays above the progress."""
        if self._progress.disable:
            return
        line = (
            f"epoch {epoch.epoch + 1}: loss {epoch.train_loss:.3f}, right "
            f"{epoch.train_accuracy:.1f} %"
        )
        if not math.isnan(epoch.test_loss):
            line += f"; test loss {epoch.test_loss:.3f}, right {epoch.test_accuracy:.1f} %"
        self._progress.console.print(line, highlight=False)
