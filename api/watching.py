"""Who is told of the runs of a call: the caller's watcher, and a display while one is under way."""

from types import TracebackType
from typing import Any

from smoothcert.engine.run.certification import Watcher, Watchers

_SAID_ONCE = ("inferred", "passed over", "probed")
"""Events about a model or a source, which several levels share."""


class Watching(Watchers):
    """A Watcher, and a context manager that shows progress while it is entered: see display_of.

    Says what was inferred of a model or a source, or found of it, once, for all runs of a call.
    """

    def __init__(self, watcher: Watcher | None, progress: bool | None) -> None:
        self._own: list[Watcher] = [] if watcher is None else [watcher]
        super().__init__(self._own)
        self._progress = progress
        self._display: Any = None
        self._entered = 0  # runs of a call may be under way together
        self._said: list[tuple[str, dict[str, Any]]] = []

    def __enter__(self) -> Watcher:
        self._entered += 1
        if self._entered == 1 and self._progress is not False:
            from smoothcert.progress import display_of  # takes a while, and not every call

            self._display = display_of(self._progress)
            if self._display is not None:
                self._own.append(self._display.__enter__())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._entered -= 1
        if self._entered:
            return
        display, self._display = self._display, None
        if display is not None:
            self._own.remove(display)
            display.__exit__(kind, error, trace)

    def event(self, name: str, details: dict[str, Any]) -> None:
        """See Watcher.event."""
        if name in _SAID_ONCE:
            if (name, details) in self._said:
                return
            self._said.append((name, details))
        super().event(name, details)
