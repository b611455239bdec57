"""Progress of an export on a terminal's stderr: its stages, one below the other."""

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from smoothcert.engine.base.wording import printable
from smoothcert.progress import TerminalProgress


class ExportProgress(TerminalProgress):
    """An ExportWatcher (export/precision/watching.py). A stage that has ended keeps its line, and
    the time that it took."""

    def __init__(self, *, quiet: bool = False) -> None:
        super().__init__(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(compact=True),
            TextColumn("left"),
            quiet=quiet,
        )
        self._stage: TaskID | None = None

    def stage(self, name: str, steps: int | None = None) -> None:
        """See ExportWatcher.stage."""
        if self._stage is not None:
            done = max(self._progress.tasks[self._stage].completed, 1)
            self._progress.update(self._stage, completed=done, total=done)
            self._progress.stop_task(self._stage)
        self._stage = self._progress.add_task(printable(name), total=steps)

    def ran(self, steps: int) -> None:
        """See ExportWatcher.ran."""
        if self._stage is not None:
            self._progress.advance(self._stage, steps)
