"""Progress on a terminal's stderr, of a run, an engine's build and a training; silent in a pipe."""

import math
import sys
import time
from contextlib import ExitStack
from threading import Lock
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from smoothcert.engine.base.doing import shown_otherwise
from smoothcert.engine.base.wording import printable, printable_line

if TYPE_CHECKING:
    from smoothcert.engine.log.rows import Certificate
    from smoothcert.engine.sources.base import FailedImage
    from smoothcert.training.epoch_log import Epoch


_SENTENCES = {
    "passed over": "{backend} was passed over: {reason}",
    "probed": (
        "row independence of model {model} is not proven ({reason}): compared on {batches} batches "
        "instead, and on a few rows of every image"
    ),
    "resumed elsewhere": (
        "this part of the log runs under other circumstances than it was begun with, and rounding "
        "may turn votes: {differences}"
    ),
}
"""Events that are said in a pipe too."""


_WIDE = 100
"""Columns of a terminal that has room for all that can be said of a run."""


class TerminalProgress:
    """A context manager that draws columns while it is open, where stderr is a terminal."""

    def __init__(self, *columns: ProgressColumn, quiet: bool = False) -> None:
        console = Console(file=sys.stderr)
        self._progress = Progress(
            *columns,
            console=console,
            disable=quiet or not console.is_terminal,
            transient=True,
            redirect_stdout=sys.stdout.isatty(),  # else its lines would leave their pipe
        )
        self._place = ExitStack()

    def _draw(self) -> None:
        """Begin to draw, where that has not begun."""
        if not self._progress.live.is_started:
            self._place.enter_context(shown_otherwise())
            self._progress.start()

    def _erase(self) -> None:
        self._progress.stop()
        self._place.close()

    def __enter__(self) -> Self:
        self._draw()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._erase()


class RunProgress(TerminalProgress):
    """A Watcher (engine/run/certification.py) that draws on a terminal's stderr, from when it is
    known how much there is to do."""

    def __init__(self) -> None:
        super().__init__(
            TextColumn("{task.fields[images]} images"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[rate]} samples/s"),
            TextColumn("{task.fields[accuracy]}"),
            *([TimeElapsedColumn()] if Console().width >= _WIDE else []),
            TextColumn("{task.fields[left]} left"),
        )
        self._task = self._progress.add_task(
            "certify", total=None, images="0", rate="-", accuracy="", left="-"
        )
        self._level = ""
        self._images = self._done = self._labelled = self._correct = 0
        self._total = self._samples = 0
        self._start = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def begin(self, images: int, done: int, samples: int) -> None:
        """See Watcher.begin."""
        self._progress.reset(self._task)  # its time
        self._images, self._done, self._total = images, done, samples
        self._samples = self._labelled = self._correct = 0
        self._start = time.monotonic()
        self._show()
        self._draw()

    def batch(self, samples: int) -> None:
        """See Watcher.batch."""
        self._samples += samples
        self._show()

    def image(self, certificate: "Certificate", unused: int) -> None:
        """See Watcher.image."""
        self._done += 1
        self._labelled += certificate.label >= 0
        self._correct += certificate.decision.predict == certificate.label >= 0
        self._total -= unused
        self._show()

    def failed(self, image: "FailedImage", unused: int) -> None:
        """See Watcher.failed."""
        self._total -= unused
        self._show()

    def event(self, name: str, details: dict[str, Any]) -> None:
        """See Watcher.event; only trouble is worth a line. What was passed over, what is not
        proven and what has changed since a log was begun is said in a pipe too."""
        if name in _SENTENCES:
            with shown_otherwise():
                self._progress.console.print(
                    printable_line(f"smoothcert: {_SENTENCES[name].format(**details)}"),
                    markup=False,
                    highlight=False,
                    soft_wrap=True,
                )
        if name == "log begun":  # of several
            self._level = f"sigma {details['sigma']:g}: "
        if name == "log finished":
            self._erase()
        if name == "selecting":
            self._draw()
            self._progress.update(self._task, images="selecting {done}/{images}".format(**details))
        if name in ("worker lost", "no worker") and not self._progress.disable:
            said = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in details.items())
            line = printable_line(f"{name}: {said}")
            self._progress.console.print(line, markup=False, highlight=False)

    def _show(self) -> None:
        rate = self._samples / max(time.monotonic() - self._start, 1e-9)
        left = int((self._total - self._samples) / rate) if self._samples else None
        self._progress.update(
            self._task,
            completed=self._samples,
            total=max(self._total, 1),
            images=f"{self._level}{self._done}/{self._images}",
            rate=f"{rate:,.0f}",
            accuracy=f"accuracy {self._correct / self._labelled:.3f}" if self._labelled else "",
            left="-" if left is None else f"{left // 3600}:{left // 60 % 60:02d}:{left % 60:02d}",
        )


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
