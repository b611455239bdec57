"""Carries a run out under a budget, on one device."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from smoothcert.engine.base.errors import InputError, RunStoppedError
from smoothcert.engine.run.budget.agenda import Agenda
from smoothcert.engine.run.budget.amount import Budget, Meter
from smoothcert.engine.run.budget.kept_votes import KeptVotes
from smoothcert.engine.run.execution import Job, LocalExecutor, Results
from smoothcert.engine.run.kept_images import kept_images
from smoothcert.engine.run.scheduler import Scheduler
from smoothcert.engine.sources.base import ImageSource
from smoothcert.engine.statistics.table import TableCertify

_SECONDS_BETWEEN_SAVES = 60.0


class BudgetExecutor(LocalExecutor):
    """An Executor that decides as much of a table as its budget allows: first some samples of every
    image, then those that decide most radii. In the end it yields the images that are undecided
    too, with what is certified of them; their votes are kept beside the log.

    Expects a budgeted TableCertify (raises InputError for another procedure).
    """

    def __init__(self, budget: Budget, log: Path) -> None:
        self._budget = budget
        self._log = log

    def open(self, job: Job) -> dict[str, Any]:
        """See Executor.open."""
        if not isinstance(job.procedure, TableCertify) or not job.procedure.budgeted:
            raise InputError("a budget is of table mode: expected the radii that it is to decide")
        self._table = job.procedure
        self._device = job.compute.device
        return super().open(job)

    def begin(self, run: Mapping[str, Any], source: ImageSource, indices: Sequence[int]) -> None:
        """Before the log is touched: read the votes that an earlier session left, of the run that
        the manifest describes as `run`. Raises InputError as KeptVotes.read does."""
        assert self._backend is not None, "open comes first"
        self._votes = KeptVotes(self._log, run)
        classes = self._backend.num_classes
        self._tables = self._votes.read(self._table, source, set(indices), classes)

    @property
    def radii(self) -> int:
        """How many radii the table has."""
        return len(self._table.asked)

    def at_most(self, samples: int) -> int:
        """How many of so many samples the budget lets be drawn."""
        return samples if self._budget.samples is None else min(samples, self._budget.samples)

    def results(
        self, source: ImageSource, indices: Sequence[int], on_batch: Callable[[int], None]
    ) -> Results:
        """See Executor.results."""
        assert self._backend is not None, "open comes first"
        votes = self._votes
        votes.sweep()
        tables = {i: self._tables[i] for i in indices if i in self._tables}
        images = kept_images(source, self._device)
        meter = Meter(self._budget)
        agenda = Agenda(self._table, images, indices, tables, meter)
        saved = time.monotonic()
        try:
            for step in Scheduler(self._backend, agenda, on_batch).run(agenda):
                while agenda.failed:
                    yield agenda.failed.pop(0)
                if certificate := agenda.returned(step):
                    yield certificate
                if time.monotonic() - saved > _SECONDS_BETWEEN_SAVES:
                    votes.write(agenda.open_tables())
                    saved = time.monotonic()
            yield from agenda.failed
            agenda.failed.clear()
            yield from agenda.left()
            votes.write(agenda.open_tables())
        except BaseException:  # interrupted, or nothing can be written
            with suppress(RunStoppedError):
                votes.write(agenda.open_tables())
            raise
        finally:
            self._budget = meter.left()  # where it is opened again
            agenda.close()
