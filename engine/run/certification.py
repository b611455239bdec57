"""A whole run: a model, a source and a procedure in, a finished log out."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from smoothcert.engine.backends.host.runtimes import AUTO
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.log.ledger import Ledger
from smoothcert.engine.log.manifest import manifest_path, read_manifest
from smoothcert.engine.log.rows import Certificate
from smoothcert.engine.models.model import Model
from smoothcert.engine.noise.lattice import LatticeGaussian
from smoothcert.engine.run.execution import Executor, Job, NewMachine
from smoothcert.engine.run.processes import executor_for
from smoothcert.engine.run.scheduler import Outcome
from smoothcert.engine.sources.base import FailedImage, ImageSource
from smoothcert.engine.sources.selection import Selection
from smoothcert.engine.statistics.bounds import ABSTAIN, covered_squared_distance
from smoothcert.engine.statistics.procedures import Procedure
from smoothcert.engine.statistics.transfer import TransferDecision

NOISE_LAW = "integer Gaussian on the 1/255 grid, Philox4x32-10, 64-bit thresholds"


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
        """Something an operator may want to know (a worker came or went)."""
        ...


class _Silent:
    def begin(self, images: int, done: int, samples: int) -> None:
        pass

    def batch(self, samples: int) -> None:
        pass

    def image(self, certificate: Certificate, unused: int) -> None:
        pass

    def failed(self, image: FailedImage, unused: int) -> None:
        pass

    def event(self, name: str, details: dict[str, Any]) -> None:
        pass


@dataclass(frozen=True)
class RunSummary:
    """What a run did: `images` selected, and this session's share of the work.

    failed  the images without a row: the log is complete where there are none
    """

    images: int
    certified_now: int
    samples_now: int
    seconds: float
    failed: tuple[FailedImage, ...] = ()


@dataclass(frozen=True)
class RunSettings:
    """How a run computes; `backend`, `precision` and `seed` (and the model) decide what it finds.

    backend    auto resumes a log with the backend that it was started with
    precision  None for the model's own
    strict     stop at an image that cannot be read, instead of going on with the others
    notes      further entries of the manifest's description of the run
    reference  the model that certificates are transferred to, with a TransferCertify procedure
    """

    seed: int = 0
    backend: str = "auto"
    device: str = "cpu"
    precision: str | None = None
    batch: int | None = None
    threads: int | None = None
    strict: bool = False
    notes: dict[str, Any] = field(default_factory=dict)
    reference: Model | None = None


def run_procedure(
    model: Model,
    source: ImageSource,
    out: Path,
    law: LatticeGaussian,
    make_procedure: Callable[[float], Procedure],
    selection: Selection,
    settings: RunSettings,
    watcher: Watcher | None = None,
    executor: Executor | None = None,
) -> RunSummary:
    """Run a procedure on the selected images, appending to (or resuming) the log `out`.

    make_procedure is given the sampler's total variation over one image. Each row's guarantee is
    its procedure's: for CERTIFY, with probability at least 1 - alpha over the noise, the smoothed
    classifier of this model, as this backend runs it, does not change within the radius.
    The log is the same whatever executes the run (None: this process); one executor may resume
    what another began. An image that cannot be read costs only itself: it has no row, the manifest
    names it, and the same run tries it again.
    Raises InputError for inputs that do not fit together, before anything is written.
    """
    watcher = watcher or _Silent()
    executor = executor or executor_for(settings.device)
    indices = selection.indices(len(source))
    if not indices:
        raise InputError(
            f"no image is selected: the source has {len(source)}, with {selection.describe()}"
        )
    if indices[-1] >= 2**32:
        raise InputError(f"image index {indices[-1]} is too large: expected below 2^32")
    total_variation = law.total_variation(model.spec.num_pixels)
    procedure = make_procedure(total_variation)
    job = Job(
        model,
        law,
        procedure,
        settings.seed,
        _started_with(out) if settings.backend == AUTO else settings.backend,
        settings.device,
        settings.precision,
        settings.batch,
        settings.threads,
        settings.reference,
    )
    paths = {"model_path": str(model.path)}
    if settings.reference is not None:
        paths["reference_path"] = str(settings.reference.path)
    try:
        session = {**executor.open(job), **paths}
        run = {
            **procedure.describe(),
            **settings.notes,
            "sigma": law.sigma,
            "seed": settings.seed,
            "noise": NOISE_LAW,
            "total_variation": total_variation,
            "model": model.describe(),
            "backend": session["backend"]["runtime"].partition(" ")[0],
            "precision": session["backend"].get("precision", model.precision),
            "device": settings.device.partition(":")[0],  # its number decides nothing
            "source": source.describe(),
            "selection": selection.describe(),
        }
        if settings.reference is not None:
            run["transfer_to"] = settings.reference.describe()
        start = time.perf_counter()
        samples = 0
        failed: list[FailedImage] = []

        def count(batch: int) -> None:
            nonlocal samples
            samples += batch
            watcher.batch(batch)

        with Ledger(out, run, session) as ledger:
            todo = [index for index in indices if index not in ledger.done]
            watcher.begin(len(indices), len(indices) - len(todo), len(todo) * procedure.max_samples)
            results = executor.results(source, todo, count)
            try:
                for result in results:
                    if isinstance(result, NewMachine):
                        ledger.add_session({**result.session, **paths})
                        continue
                    if isinstance(result, FailedImage):
                        if settings.strict:
                            raise InputError(result.reason)
                        failed.append(result)
                        watcher.failed(result, procedure.max_samples)
                        continue
                    certificate = certificate_of(result)
                    ledger.append(certificate)
                    watcher.image(certificate, procedure.max_samples - certificate.drawn)
            finally:
                results.close()
            seconds = time.perf_counter() - start
            failed.sort(key=lambda image: image.index)
            ledger.finish({"images": len(indices)}, {image.index: image.reason for image in failed})
        return RunSummary(len(indices), len(todo) - len(failed), samples, seconds, tuple(failed))
    finally:
        executor.close()


def _started_with(out: Path) -> str:
    """The backend that the log `out` was started with, or AUTO where there is none to resume."""
    if not (out.is_file() and out.stat().st_size and manifest_path(out).exists()):
        return AUTO
    return str(read_manifest(out)["run"].get("backend", AUTO))


def certificate_of(outcome: Outcome) -> Certificate:
    """The log row of a decided image."""
    decision = outcome.decision
    abstained = decision.predict == ABSTAIN
    return Certificate(
        outcome.index,
        outcome.label,
        decision.predict,
        decision.radius,
        outcome.seconds,
        decision.count,
        decision.n,
        decision.n0,
        decision.drawn,
        0 if abstained else covered_squared_distance(decision.radius),
        decision.transfer if isinstance(decision, TransferDecision) else None,
    )
