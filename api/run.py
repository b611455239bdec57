"""A run that `certify` or `predict` made ready: carried out row by row, and asked for results."""

import os
import warnings
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Self

from smoothcert.analysis.results import ReadLog, Table, read_log
from smoothcert.ending import closed_at_the_end
from smoothcert.engine.base.regular import open_regular
from smoothcert.engine.log.log_rows import rows_in
from smoothcert.engine.log.manifest import read_manifest
from smoothcert.engine.run.certification import Certification, RunSummary, Watcher
from smoothcert.rows import Row

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame


class Run:
    """What `certify` and `predict` return: all is checked and open, and nothing is written yet.

    for row in run   carries it out, in this thread: each Row as it is decided, after those that the
                     log has already. With a budget the undecided ones come last; an image that
                     cannot be read has no row, and is in `summary.failed`.
    run.run()        carries out what is left, and returns the run
    run.table(), .to_pandas(), .plot(), .summary   carry out what is left, and then say what came of
                     it: see read_log, and RunSummary
    len(run)         the number of images selected
    run.log          the log's path; without an `out` it lives as long as the run

    A loop that is left early (break, an exception, Ctrl-C) leaves a log that can be resumed, by the
    same call or by iterating again, which begins with the rows that are there. A finished run gives
    its rows again. A run that is dropped before it was carried out at all warns (RuntimeWarning);
    `close` gives it up without a word.

    A run is of one thread at a time (another one's call raises RuntimeError) and of the process
    that made it: a forked child may make runs of its own, but not go on with this one (RuntimeError
    there, and it leaves the log alone). Runs into different logs may go on in several threads.
    """

    def __init__(
        self,
        certification: Certification,
        watching: AbstractContextManager[Watcher],
        about: Mapping[str, Any] | None = None,
        folder: object = None,
    ) -> None:
        """watching: told of it, entered while it is carried out; about: what the events `log begun`
        and `log finished` say of a run that is one of several; folder: kept as long as this is."""
        self._certification = certification
        self._watching = watching
        self._about = about
        self._folder = folder
        self._process = os.getpid()
        self._lock = Lock()
        self._begun = self._closed = False
        self._driven: Generator[Row, None, None] | None = None
        self._rows: list[Row] = []  # those of the loops that are under way
        self._loops = 0
        closed_at_the_end(self)

    @property
    def log(self) -> Path:
        """Where the log is."""
        return self._certification.log

    @property
    def summary(self) -> RunSummary:
        """What the run did; carries out what is left."""
        self.run()
        assert self._certification.summary is not None
        return self._certification.summary

    def __len__(self) -> int:
        return len(self._certification)

    def __iter__(self) -> Iterator[Row]:
        if self._finished and not self._loops:
            yield from self._logged()
            return
        place = 0
        self._loops += 1
        try:
            while place < len(self._rows) or self._advance():
                yield self._rows[place]
                place += 1
        finally:
            self._loops -= 1
            if not self._loops:
                self._pause()
                self._rows.clear()

    def run(self) -> Self:
        """Carry out what is left."""
        while self._advance():
            pass
        return self

    def table(
        self, radii: Sequence[float] | None = None, *, alpha: float | None = None,
        rho: float | None = None,
    ) -> Table:  # fmt: skip
        """The certified accuracy at radii, after all is carried out; see ReadLog.table."""
        return self._read().table(radii, alpha=alpha, rho=rho)

    def to_pandas(self) -> "DataFrame":
        """The log as a DataFrame, after all is carried out; see ReadLog.to_pandas."""
        return self._read().to_pandas()

    def plot(self, *, alpha: float | None = None, rho: float | None = None) -> "Figure":
        """The certified accuracy at every radius, after all is carried out; see ReadLog.plot."""
        return self._read().plot(alpha=alpha, rho=rho)

    def close(self) -> None:
        """Let go of model and log; a run that is not carried out is given up."""
        self._begun = self._closed = True
        if os.getpid() == self._process:
            self._pause()
            self._certification.close()

    def __repr__(self) -> str:
        state = "finished" if self._finished else "interrupted" if self._begun else "ready"
        return f"<smoothcert run of {len(self)} images, {state}, log {self.log}>"

    def _repr_html_(self) -> str:
        """The table of a finished run. Showing carries nothing out: of others, how to."""
        if self._finished:
            return self.table()._repr_html_()
        state = "was interrupted" if self._begun else "is ready"
        return (
            f"<p>A run of {len(self)} images {state}: iterate over it, or call <code>.run()</code>,"
            " <code>.table()</code>.</p>"
        )

    def dropped(self) -> None:
        """Nobody will use it any more: warns where it was never begun, and closes it."""
        if self._closed or os.getpid() != self._process:
            return
        if not self._begun:
            warnings.warn(
                f"a run of {len(self)} images was never carried out, and certified nothing: "
                "iterate over it, or call .run()",
                RuntimeWarning,
                stacklevel=2,
            )
        self.close()

    def __del__(self) -> None:
        if not getattr(self, "_closed", True):
            self.dropped()

    @property
    def _finished(self) -> bool:
        return self._certification.summary is not None

    def _read(self) -> ReadLog:
        self.run()
        return read_log(self.log)

    def _logged(self) -> Iterator[Row]:
        with open_regular(self.log, "a log") as file:
            for row in rows_in(self.log, file, read_manifest(self.log)["run"]):
                yield Row.of(row.certificate)

    def _advance(self) -> bool:
        """Have one more row, if there is one; keep it where a loop is under way."""
        if os.getpid() != self._process:
            raise RuntimeError("this run was made by another process: make one here (certify)")
        if not self._lock.acquire(blocking=False):
            raise RuntimeError("this run is being carried out already: wait for its next row")
        try:
            if self._finished:
                return False
            if self._driven is None:
                self._driven = self._drive()
            row = next(self._driven, None)
            if row is not None and self._loops:
                self._rows.append(row)
            return row is not None
        except BaseException:  # also between two statements: the log has every row
            self._pause()
            raise
        finally:
            self._lock.release()

    def _drive(self) -> Generator[Row, None, None]:
        """The rows that are not in `_rows`."""
        self._begun, self._closed = True, False
        # What a budget left undecided has gone from the log, and comes again.
        here = {row.index for row in self._rows if not row.undecided}
        with self._watching as watcher:
            if self._about is not None:
                watcher.event("log begun", dict(self._about))
            for certificate in self._certification.rows(watcher):
                if certificate.index not in here:
                    yield Row.of(certificate)
            done = self._certification.summary
            if self._about is not None and done is not None:
                details = {
                    "images": done.images,
                    "certified": done.certified_now,
                    "samples": done.samples_now,
                    "seconds": done.seconds,
                }
                watcher.event("log finished", {**self._about, **details})

    def _pause(self) -> None:
        """Close the log and what carries the run out, if they are open."""
        if os.getpid() != self._process:
            return
        driven, self._driven = self._driven, None
        if driven is not None:
            driven.close()
