"""The progress line of a training: epoch, loss, accuracy, images per second, time left."""

import math
import sys
import time
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from smoothcert.training.epoch_log import Epoch


class TrainingProgress:
    """A Watcher (training/trainer.py) that draws on a terminal's stderr; silent in a pipe."""

    def __init__(self) -> None:
        console = Console(file=sys.stderr)
        self._progress = Progress(
            TextColumn("epoch {task.fields[epoch]}"),
            BarColumn(bar_width=20),
            TaskProgressColumn(),
            TextColumn("{task.fields[rate]} samples/s"),
            TextColumn("{task.fields[result]}"),
            TimeRemainingColumn(compact=True),
            TextColumn("left"),
            console=console,
            disable=not console.is_terminal,
            transient=True,
        )
        self._task = self._progress.add_task("train", total=None, epoch="0", rate="-", result="")
        self._epochs = self._total = self._before = self._here = 0
        self._start = time.monotonic()

    def __enter__(self) -> "TrainingProgress":
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

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

    def epoch(self, epoch: Epoch) -> None:
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
