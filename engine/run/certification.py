"""A whole run: a job and a source in, a finished log out."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from smoothcert.engine.backends.base import AUTO, PASSED_OVER, ROW_INDEPENDENCE, runtime_name
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.log.ledger import Ledger
from smoothcert.engine.log.manifest import changed_circumstances, describe_run, recorded
from smoothcert.engine.log.row_rules import RowRules
from smoothcert.engine.log.rows import Certificate
from smoothcert.engine.noise.lattice import NOISE_LAW
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


def certify_images(
    job: Job,
    source: ImageSource,
    selection: Selection,
    log: Path,
    *,
    watcher: Watcher | None = None,
    executor: Executor | None = None,
    strict: bool = False,
    notes: Mapping[str, Any] | None = None,
) -> RunSummary:
    """Carry a job out on the selected images, appending to (or resuming) a log.

    strict  stop at an image that cannot be read, instead of going on with the others
    notes   further entries of the manifest's description of the run

    Each row's guarantee is its procedure's: for CERTIFY, with probability at least 1 - alpha over
    the noise, the smoothed classifier of this model, as this backend runs it, does not change
    within the radius. The log is the same whatever executes the run (None: what suits the job's
    device); one executor may resume what another began, and the backend or precision `auto` is then
    the one it was begun with. An image that cannot be read costs only itself: it has no row, the
    manifest names it, and the same run tries it again.
    Raises InputError for inputs that do not fit together, before anything is written.
    """
    watcher = watcher or Watchers()
    executor = executor or executor_for(job.compute.device)
    indices = _selected(source, selection)
    _check_labels(job, source)
    if isinstance(executor, SendingExecutor):
        executor.check_source(source)
    if job.compute.backend == AUTO:
        job = job.computed(backend=recorded(log, "backend") or AUTO)
    if job.compute.precision == AUTO:
        job = job.computed(precision=recorded(log, "precision") or AUTO)
    paths = {"model_path": str(job.model.given)}
    if job.reference is not None:
        paths["reference_path"] = str(job.reference.given)
    try:
        session = {**executor.open(job), **paths}
        run = described_run(job, session, source, selection, notes)
        start = time.perf_counter()
        if isinstance(executor, BudgetExecutor):
            executor.begin(run, source, indices)
        rules = RowRules(job.procedure, job.model.num_classes, len(source), indices)
        images_unchanged = partial(check_images, log, source)
        with Ledger(log, run, session, rules, images_unchanged) as ledger:
            _tell(watcher, job, source, session["backend"])
            todo = [index for index in indices if index not in ledger.done]
            most = job.procedure.max_samples
            if todo and (changed := changed_circumstances(ledger.earlier, session)):
                watcher.event("resumed elsewhere", {"differences": "; ".join(changed)})
            total = len(todo) * most
            if isinstance(executor, BudgetExecutor):
                total = executor.at_most(total)
            watcher.begin(len(indices), len(indices) - len(todo), total)
            work = _Work(ledger, watcher, Repeats([session["backend"]]), most, paths, strict)
            results = executor.results(source, todo, work.drew)
            try:
                for result in results:
                    work.take(result)
            finally:
                results.close()
                ledger.note(repeats=work.repeats.describe())
            seconds = time.perf_counter() - start
            failed = sorted(work.failed, key=lambda image: image.index)
            ledger.finish({"images": len(indices)}, {image.index: image.reason for image in failed})
        certified = len(todo) - len(failed)
        cells = len(indices) * executor.radii if isinstance(executor, BudgetExecutor) else 0
        return RunSummary(
            len(indices), certified, work.samples, seconds, tuple(failed), work.undecided, cells
        )
    finally:
        executor.close()


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


def described_run(
    job: Job,
    session: Mapping[str, Any],
    source: ImageSource,
    selection: Selection,
    notes: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """The manifest's `run` of a job as a session carries it out: see describe_run."""
    backend = session["backend"]
    bound = (backend.get(ROW_INDEPENDENCE) or {}).get("batch")
    return describe_run(
        job.procedure,
        notes={**(notes or {}), **({} if bound is None else {"batch": bound})},
        sigma=job.law.sigma,
        seed=job.seed,
        noise=NOISE_LAW,
        total_variation=job.law.total_variation(job.model.spec.num_pixels),
        model=job.model.describe(),
        backend=runtime_name(backend),
        precision=backend.get("precision", job.model.precision),
        device=job.compute.device,
        source=source.describe(),
        selection=selection.describe(),
        transfer_to=None if job.reference is None else job.reference.describe(),
    )


@dataclass
class _Work:
    """What becomes of an executor's results: rows in the ledger, words to the watcher."""

    ledger: Ledger
    watcher: Watcher
    repeats: Repeats
    most: int
    paths: dict[str, str]
    strict: bool
    samples: int = 0
    undecided: int = 0
    failed: list[FailedImage] = field(default_factory=list)

    def drew(self, samples: int) -> None:
        self.samples += samples
        self.watcher.batch(samples)

    def take(self, result: Certificate | FailedImage | NewMachine) -> None:
        if isinstance(result, NewMachine):
            self.repeats.also(result.session["backend"])
            self.ledger.add_session({**result.session, **self.paths})
        elif isinstance(result, Certificate):
            self.repeats.take(result)
            self.ledger.append(result)
            self.undecided += result.decision.undecided or 0
            self.watcher.image(result, self.most - result.decision.drawn)
        elif self.strict:
            raise InputError(result.reason)
        else:
            self.failed.append(result)
            self.watcher.failed(result, self.most)
