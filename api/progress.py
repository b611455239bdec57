"""Progress of a run, on a terminal's stderr or in a notebook; silent in a pipe."""

import importlib
import io
import sys
import time
from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)

from smoothcert.engine.base.doing import shown_otherwise
from smoothcert.engine.base.wording import printable_line

if TYPE_CHECKING:
    from smoothcert.engine.log.rows import Certificate
    from smoothcert.engine.sources.base import FailedImage

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
_SECONDS_BETWEEN_DRAWINGS = 0.25
_NOTEBOOK_WIDTH = 110


class TerminalProgress:
    """A context manager that draws columns while it is open, where stderr is a terminal, and
    nothing with `quiet`; with `always` as if it were one."""

    def __init__(self, *columns: ProgressColumn, quiet: bool = False, always: bool = False) -> None:
        console = Console(file=sys.stderr, force_terminal=True if always else None)
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

    def __init__(self, *, always: bool = False) -> None:
        super().__init__(
            TextColumn("{task.fields[images]} images"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[rate]} samples/s"),
            TextColumn("{task.fields[accuracy]}"),
            *([TimeElapsedColumn()] if Console().width >= _WIDE else []),
            TextColumn("{task.fields[left]} left"),
            always=always,
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


class NotebookProgress(RunProgress):
    """A RunProgress below a notebook's cell, which is empty again in the end."""

    def __init__(self) -> None:
        super().__init__()
        self._handle: Any = None
        self._drawn = 0.0

    def __enter__(self) -> Self:
        display: Any = importlib.import_module("IPython.display").display  # a notebook has it
        self._handle = display({"text/plain": ""}, raw=True, display_id=True)
        return super().__enter__()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        super().__exit__(kind, error, trace)
        self._handle.update({"text/plain": ""}, raw=True)

    def _show(self) -> None:
        super()._show()
        now = time.monotonic()
        if self._handle is not None and now - self._drawn > _SECONDS_BETWEEN_DRAWINGS:
            self._drawn = now
            console = Console(file=io.StringIO(), width=_NOTEBOOK_WIDTH, force_jupyter=False)
            with console.capture() as drawn:
                console.print(self._progress.get_renderable())
            self._handle.update({"text/plain": drawn.get().rstrip()}, raw=True)


def display_of(progress: bool | None) -> RunProgress | None:
    """What draws a run that was started from Python: a bar with True, none with False, and with
    None one where there is a terminal or a notebook."""
    if progress is False:
        return None
    if in_notebook():
        return NotebookProgress()
    if progress or sys.stderr.isatty():
        return RunProgress(always=bool(progress))
    return None


def in_notebook() -> bool:
    """Whether what is displayed is shown below a cell."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return type(shell).__name__ == "ZMQInteractiveShell"
