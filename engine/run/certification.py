"""A whole run: a job and a source in, a finished log out, row by row."""

import os
import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from smoothcert.engine.backends.base import AUTO, PASSED_OVER, ROW_INDEPENDENCE
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.log.begun import check_resumable
from smoothcert.engine.log.ledger import Ledger
from smoothcert.engine.log.manifest import changed_circumstances, recorded
from smoothcert.engine.log.row_rules import RowRules
from smoothcert.engine.log.rows import Certificate
from smoothcert.engine.run.beginning import as_begun, described_run
from smoothcert.engine.run.budget.executor import BudgetExecutor
from smoothcert.engine.run.execution import Executor, Job, NewMachine, SendingExecutor
from smoothcert.engine.run.processes import executor_for
from smoothcert.engine.run.repeats import Repeats
from smoothcert.engine.run.resuming import check_images
from smoothcert.engine.sources.base import FailedImage, ImageSource, said_of
from smoothcert.engine.sources.selecting.subset import is_unlabelled
from smoothcert.engine.sources.selection import Selection


class Watcher(Protocol):
    """What a run reports to while it works (a progress display)."""

    def begin(self, images: int, done: int, samples: int) -> None:
        """`images` selected, `done` of them in the log already, at most `samples` to draw."""
        ...

    def batch(self, samples: int) -> None:
        """A batch of so many samples is through."""
        ...

    def image(self, certificate: Certificate, unused: int) -> None:
        """An image is decided; `unused` samples of its share of the total were not needed."""
        ...

    def failed(self, image: FailedImage, unused: int) -> None:
        """An image could not be certified; `unused` samples of the total will not be drawn."""
        ...

    def event(self, name: str, details: dict[str, Any]) -> None:
        """Something an operator may want to know (a worker came or went, `auto` passed a faster
        backend over, a model is not proven to be a function of a row, a log was begun under other
        circumstances, something was inferred of a model or a source, images are tried for
        --only-correct, one of several logs is begun or finished)."""
        ...


class Watchers:
    """Several Watchers as one; none of them is silence."""

    def __init__(self, watchers: Sequence[Watcher] = ()) -> None:
        self._watchers = watchers

    def begin(self, images: int, done: int, samples: int) -> None:
        """See Watcher.begin."""
        for watcher in self._watchers:
            watcher.begin(images, done, samples)

    def batch(self, samples: int) -> None:
        """See Watcher.batch."""
        for watcher in self._watchers:
            watcher.batch(samples)

    def image(self, certificate: Certificate, unused: int) -> None:
        """See Watcher.image."""
        for watcher in self._watchers:
            watcher.image(certificate, unused)

    def failed(self, image: FailedImage, unused: int) -> None:
        """See Watcher.failed."""
        for watcher in self._watchers:
            watcher.failed(image, unused)

    def event(self, name: str, details: dict[str, Any]) -> None:
        """See Watcher.event."""
        for watcher in self._watchers:
            watcher.event(name, details)


@dataclass(frozen=True)
class RunSummary:
    """What a run did: `images` selected, and this session's share of the work.

    failed  the images without a row: the log is complete where there are none
    undecided, cells  of a run under a budget: how many of the table's cells (an image and a radius)
            are undecided, and how many there are; 0 of others
    """

    images: int
    certified_now: int
    samples_now: int
    seconds: float
    failed: tuple[FailedImage, ...] = ()
    undecided: int = 0
    cells: int = 0


class Certification:
    """A job on the selected images of a source, ready to be carried out into a log, row by row.

    log       appended to, or resumed; nothing is written before the first row is asked for
    executor  carries it out (None: what suits the job's device); it is open from here on, except
              with `later`: then from the first row on
    strict    stop at an image that cannot be read, instead of going on with the others
    notes     further entries of the manifest's description of the run

    Each row's guarantee is its procedure's: for CERTIFY, with probability at least 1 - alpha over
    the noise, the smoothed classifier of this model, as this backend runs it, does not change
    within the radius. The log is the same whatever executes the run, and however often it is
    interrupted; one executor may resume what another began, and the backend or precision `auto` is
    then the one it was begun with. An image that cannot be read costs only itself: it has no row,
    the manifest names it, and the same run tries it again.
    Raises InputError for inputs that do not fit together, before anything is written.
    """

    def __init__(
        self,
        job: Job,
        source: ImageSource,
        selection: Selection,
        log: Path,
        *,
        executor: Executor | None = None,
        strict: bool = False,
        notes: Mapping[str, Any] | None = None,
        later: bool = False,
    ) -> None:
        self.log = log
        self.summary: RunSummary | None = None
        self._source, self._selection = source, selection
        self._executor = executor or executor_for(job.compute.device)
        self._strict, self._notes = strict, notes
        self._indices = _selected(source, selection)
        _check_labels(job, source)
        if isinstance(self._executor, SendingExecutor):
            self._executor.check_source(source)
        self._job = job
        self._paths = {"model_path": str(job.model.given)}
        if job.reference is not None:
            self._paths["reference_path"] = str(job.reference.given)
        self._rules = RowRules(job.procedure, job.model.num_classes, len(source), self._indices)
        self._known: dict[int, tuple[str, str]] = {}  # images that were compared with their rows
        self._done = _Done()
        self._opened: dict[str, Any] | None = None
        self._process = os.getpid()
        if later:
            run = as_begun(job, source, selection, log, notes)
            check_resumable(log, run, self._rules, self._check_images)
            return
        try:
            check_resumable(log, self._run(self._session()), self._rules, self._check_images)
        except BaseException:
            self.close()
            raise

    def __len__(self) -> int:
        """The number of images selected."""
        return len(self._indices)

    def run(self, watcher: Watcher | None = None) -> RunSummary:
        """Carry out what is left."""
        for _ in self.rows(watcher):
            pass
        assert self.summary is not None
        return self.summary

    def rows(self, watcher: Watcher | None = None) -> Generator[Certificate, None, None]:
        """Carry out what is left: the rows that the log has, then each as it is decided (those that
        a budget leaves undecided at the end).

        The log is open, and locked, as long as this is; then the executor is closed. Where it is
        left before its end, the log can be resumed, also by calling this again; at its end there is
        a `summary`, of all that was done here.
        """
        assert self.summary is None, "it is carried out"
        start = time.perf_counter()
        try:
            yield from self._rows(watcher or Watchers())
        finally:
            self.close()
            self._done.seconds += time.perf_counter() - start
        self.summary = self._summary()

    def close(self) -> None:
        """Let go of what the executor holds, in the process that opened it."""
        self._opened = None
        if os.getpid() == self._process:
            self._executor.close()

    def _rows(self, watcher: Watcher) -> Generator[Certificate, None, None]:
        job, executor, session = self._job, self._executor, self._session()
        with Ledger(
            self.log, self._run(session), session, self._rules, self._check_images
        ) as ledger:
            _tell(watcher, job, self._source, session["backend"])
            todo = [index for index in self._indices if index not in ledger.done]
            most = job.procedure.max_samples
            if todo and (changed := changed_circumstances(ledger.earlier, session)):
                watcher.event("resumed elsewhere", {"differences": "; ".join(changed)})
            total = len(todo) * most
            if isinstance(executor, BudgetExecutor):
                total = executor.at_most(total)
            watcher.begin(len(self), len(self) - len(todo), total)
            yield from ledger.certificates()
            work = _Work(ledger, watcher, self._done, Repeats([session["backend"]]), most,
                         self._paths, self._strict)  # fmt: skip
            results = executor.results(self._source, todo, work.drew)
            try:
                for result in results:
                    if certificate := work.take(result):
                        self._known[certificate.index] = (
                            str(certificate.label), certificate.digest
                        )  # fmt: skip
                        yield certificate
            finally:
                results.close()
                if os.getpid() == self._process:  # not a forked one that drops what it inherited
                    ledger.note(repeats=work.repeats.describe())
            failed = sorted(work.failed, key=lambda image: image.index)
            self._done.failed = tuple(failed)
            self._done.undecided = work.undecided
            ledger.finish({"images": len(self)}, {image.index: image.reason for image in failed})

    def _session(self) -> dict[str, Any]:
        """What carries the run out, for the manifest; opens the executor where it is not."""
        if self._opened is None:
            job = self._job
            if job.compute.backend == AUTO:
                job = job.computed(backend=recorded(self.log, "backend") or AUTO)
            if job.compute.precision == AUTO:
                job = job.computed(precision=recorded(self.log, "precision") or AUTO)
            session = {**self._executor.open(job), **self._paths}
            if isinstance(self._executor, BudgetExecutor):
                self._executor.begin(self._run(session), self._source, self._indices)
            self._opened = session
        return self._opened

    def _run(self, session: Mapping[str, Any]) -> dict[str, Any]:
        return described_run(self._job, session, self._source, self._selection, self._notes)

    def _check_images(self, logged: Mapping[int, tuple[str, str]]) -> None:
        """check_images, once for each row."""
        new = {index: row for index, row in logged.items() if self._known.get(index) != row}
        check_images(self.log, self._source, new)
        self._known |= new

    def _summary(self) -> RunSummary:
        executor, done = self._executor, self._done
        cells = len(self) * executor.radii if isinstance(executor, BudgetExecutor) else 0
        return RunSummary(
            len(self), len(done.certified), done.samples, done.seconds, done.failed, done.undecided,
            cells,
        )  # fmt: skip


def _tell(watcher: Watcher, job: Job, source: ImageSource, backend: Mapping[str, Any]) -> None:
    """What a user should know of what was opened: only now, since a refusal is one line alone."""
    said = {str(model.given): model.said for model in (job.model, job.reference) if model}
    if sentences := said_of(source):
        said[str(source.describe()["name"])] = sentences
    for name, sentences in said.items():
        for sentence in sentences:
            watcher.event("inferred", {"of": name, "what": sentence})
    for name, reason in backend.get(PASSED_OVER, {}).items():
        watcher.event("passed over", {"backend": name, "reason": reason})
    for model, opened in ((job.model, backend), (job.reference, backend.get("reference"))):
        known = (opened or {}).get(ROW_INDEPENDENCE) or {}
        if model is not None and known.get("verdict") == "probed":
            details = {"model": str(model.given), "batches": known["batches"]}
            watcher.event("probed", {**details, "reason": known.get("reason", "")})


def _selected(source: ImageSource, selection: Selection) -> Sequence[int]:
    indices = selection.indices(len(source))
    if not indices:
        raise InputError(
            f"no image is selected: the source has {len(source)}, with {selection.describe()}"
        )
    if indices[-1] >= 2**32:
        raise InputError(f"image index {indices[-1]} is too large: expected below 2^32")
    return indices


def _check_labels(job: Job, source: ImageSource) -> None:
    if job.procedure.describe().get("label_aware") and is_unlabelled(source.describe()):
        raise InputError(
            "label-aware needs labels, and the source is unlabelled: leave --label-aware out"
        )


@dataclass
class _Done:
    """What a Certification did so far, in one go or in several."""

    samples: int = 0
    seconds: float = 0.0
    certified: set[int] = field(default_factory=set)
    failed: tuple[FailedImage, ...] = ()
    undecided: int = 0


@dataclass
class _Work:
    """What becomes of an executor's results: rows in the ledger, words to the watcher."""

    ledger: Ledger
    watcher: Watcher
    done: _Done
    repeats: Repeats
    most: int
    paths: dict[str, str]
    strict: bool
    undecided: int = 0
    failed: list[FailedImage] = field(default_factory=list)

    def drew(self, samples: int) -> None:
        self.done.samples += samples
        self.watcher.batch(samples)

    def take(self, result: Certificate | FailedImage | NewMachine) -> Certificate | None:
        """Returns the row that was added, if any."""
        if isinstance(result, NewMachine):
            self.repeats.also(result.session["backend"])
            self.ledger.add_session({**result.session, **self.paths})
        elif isinstance(result, Certificate):
            self.repeats.take(result)
            self.ledger.append(result)
            self.undecided += result.decision.undecided or 0
            self.done.certified.add(result.index)
            self.watcher.image(result, self.most - result.decision.drawn)
            return result
        elif self.strict:
            raise InputError(result.reason)
        else:
            self.failed.append(result)
            self.watcher.failed(result, self.most)
        return None
