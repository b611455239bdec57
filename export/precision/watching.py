"""Who watches an export: it is told of each stage, and how far that is."""

from collections.abc import Callable
from typing import Protocol


class ExportWatcher(Protocol):
    """What an export reports to, from the thread that it runs in."""

    def stage(self, name: str, steps: int | None = None) -> None:
        """A stage of so many steps begins, and the one before has ended; None: nobody knows of how
        many."""
        ...

    def ran(self, steps: int) -> None:
        """So many more steps of the stage are through."""
        ...


class Unwatched:
    """An ExportWatcher that shows nothing."""

    def stage(self, name: str, steps: int | None = None) -> None:
        """See ExportWatcher.stage."""

    def ran(self, steps: int) -> None:
        """See ExportWatcher.ran."""


UNWATCHED: ExportWatcher = Unwatched()

Ran = Callable[[int], None]
"""ExportWatcher.ran."""
