"""The progress line of a run: images, samples per second, time left. Silent in a pipe."""

import sys
import time
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)

from smoothcert.engine.log.rows import Certificate
from smoothcert.engine.sources.base import FailedImage


class RunProgress:
    """A Watcher (engine/certification.py) that draws on a terminal's stderr."""

    def __init__(self) -> None:
        console = Console(file=sys.stderr)
        self._progress = Progress(
            TextColumn("{task.fields[images]} images"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[rate]} samples/s"),
            TextColumn("{task.fields[accuracy]}"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]} left"),
            console=console,
            disable=not console.is_terminal,
            transient=True,
        )
        self._task = self._progress.add_task(
            "certify", total=None, images="0", rate="-", accuracy="", left="-"
        )
        self._images = self._done = self._here = self._correct = 0
        self._total = self._samples = 0
        self._start = time.monotonic()

    def __enter__(self) -> "RunProgress":
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def begin(self, images: int, done: int, samples: int) -> None:
        """See Watcher.begin."""
        self._images, self._done, self._total = images, done, samples
        self._start = time.monotonic()
        self._show()

    def batch(self, samples: int) -> None:
        """See Watcher.batch."""
        self._samples += samples
        self._show()

    def image(self, certificate: Certificate, unused: int) -> None:
        """See Watcher.image."""
        self._done += 1
        self._here += 1
        self._correct += certificate.decision.predict == certificate.label
        self._total -= unused
        self._show()

    def failed(self, image: FailedImage, unused: int) -> None:
        """See Watcher.failed."""
        self._total -= unused
        self._show()

    def event(self, name: str, details: dict[str, Any]) -> None:
        """See Watcher.event; only trouble is worth a line."""
        if name in ("worker lost", "no worker") and not self._progress.disable:
            said = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in details.items())
            self._progress.console.print(f"{name}: {said}", markup=False, highlight=False)

    def _show(self) -> None:
        rate = self._samples / max(time.monotonic() - self._start, 1e-9)
        left = int((self._total - self._samples) / rate) if self._samples else None
        self._progress.update(
            self._task,
            completed=self._samples,
            total=max(self._total, 1),
            images=f"{self._done}/{self._images}",
            rate=f"{rate:,.0f}",
            accuracy=f"accuracy {self._correct / self._here:.3f}" if self._here else "",
            left="-" if left is None else f"{left // 3600}:{left // 60 % 60:02d}:{left % 60:02d}",
        )
