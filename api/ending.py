"""When the program ends: runs are closed first, and then the folders of temporary logs go.

Later, when Python takes its modules apart, a log could no longer be closed. A forked child ends
none of the runs that it inherits, whatever it drops: their threads are not there to be ended.
"""

import atexit
import os
import shutil
import tempfile
from pathlib import Path
from typing import Protocol
from weakref import WeakSet


class Dropped(Protocol):
    """What has to be told that nobody will use it any more."""

    def dropped(self) -> None:
        """Nobody will; also more than once."""
        ...


class TemporaryLog:
    """A log in a folder that is there as long as this is; the process that made it takes it away,
    and no forked one."""

    def __init__(self) -> None:
        self._process = os.getpid()
        self._folder: str | None = tempfile.mkdtemp(prefix="smoothcert-")
        self.log = Path(self._folder) / "certificates.tsv"
        _LOGS.add(self)

    def dropped(self) -> None:
        """See Dropped."""
        folder, self._folder = self._folder, None
        if folder is not None and os.getpid() == self._process:
            shutil.rmtree(folder, ignore_errors=True)

    def __del__(self) -> None:
        if getattr(self, "_folder", None) is not None:
            self.dropped()


def closed_at_the_end(run: Dropped) -> None:
    """Have the run told before any temporary log goes."""
    _RUNS.add(run)


_RUNS: WeakSet[Dropped] = WeakSet()
_LOGS: WeakSet[TemporaryLog] = WeakSet()
_INHERITED: list[Dropped] = []


@atexit.register
def _end() -> None:
    for each in [*_RUNS, *_LOGS]:
        each.dropped()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=lambda: _INHERITED.extend(_RUNS))
