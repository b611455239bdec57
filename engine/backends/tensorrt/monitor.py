"""The progress of an engine build, and a way to stop it."""

from typing import Any, Protocol


class BuildWatcher(Protocol):
    """What a build reports to; called from the builder's own threads."""

    def start(self, phase: str, parent: str | None, steps: int) -> None:
        """A phase of so many steps begins, inside another one or on its own."""
        ...

    def step(self, phase: str, done: int) -> None:
        """`done` steps of a phase are through."""
        ...

    def finish(self, phase: str) -> None:
        """A phase has ended, with all its steps or not."""
        ...


class Silent:
    """A BuildWatcher that shows nothing."""

    def start(self, phase: str, parent: str | None, steps: int) -> None:
        """See BuildWatcher.start."""

    def step(self, phase: str, done: int) -> None:
        """See BuildWatcher.step."""

    def finish(self, phase: str) -> None:
        """See BuildWatcher.finish."""


class StopRequest:
    """Set from the thread that waits for a build; the builder sees it at its next step."""

    asked = False


def monitor(trt: Any, watcher: BuildWatcher, stop: StopRequest) -> Any:
    """A trt.IProgressMonitor that forwards to the watcher; it must outlive the builder."""

    class _Monitor(trt.IProgressMonitor):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            watcher.start(phase_name, parent_phase, num_steps)

        def step_complete(self, phase_name: str, step: int) -> bool:
            watcher.step(phase_name, step + 1)
            return not stop.asked

        def phase_finish(self, phase_name: str) -> None:
            watcher.finish(phase_name)

    return _Monitor()
