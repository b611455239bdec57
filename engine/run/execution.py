"""What carries a run out: in this process (here), or on a cluster (engine/cluster/)."""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from smoothcert.engine.backends.base import Backend
from smoothcert.engine.backends.opening import open_backend
from smoothcert.engine.backends.pair import open_pair
from smoothcert.engine.base.machine import describe_machine
from smoothcert.engine.models.model import Model
from smoothcert.engine.noise.lattice import LatticeGaussian
from smoothcert.engine.run.scheduler import Outcome, Scheduler
from smoothcert.engine.sources.base import FailedImage, ImageSource
from smoothcert.engine.sources.reading import decoded_ahead
from smoothcert.engine.statistics.procedures import Procedure


@dataclass(frozen=True)
class NewMachine:
    """A kind of machine takes part that the session returned by `open` does not describe."""

    session: dict[str, Any]


Results = Generator[Outcome | FailedImage | NewMachine, None, None]


@dataclass(frozen=True)
class Job:
    """What decides the outcome of an image, and how it is computed.

    device, precision, batch, threads and reference are those of RunSettings.
    """

    model: Model
    law: LatticeGaussian
    procedure: Procedure
    seed: int
    backend: str = "auto"
    device: str = "cpu"
    precision: str | None = None
    batch: int | None = None
    threads: int | None = None
    reference: Model | None = None


class Executor(Protocol):
    """Certifies images for a job. What it yields for an image depends on job and image alone."""

    def open(self, job: Job) -> dict[str, Any]:
        """Make ready; returns the session for the manifest: machine and `backend`."""
        ...

    def results(
        self, source: ImageSource, indices: Sequence[int], on_batch: Callable[[int], None]
    ) -> Results:
        """Every image's outcome, or its failure to be read, once each and in any order; and
        between them, what other machines took part.

        on_batch is told of samples as they are drawn.
        """
        ...

    def close(self) -> None:
        """Let go of everything; also after an error, and more than once."""
        ...


def describe_session(backend: Backend) -> dict[str, Any]:
    """The machine and the backend as it runs on it, for the manifest."""
    return {**describe_machine(), "backend": backend.describe()}


def open_job_backend(job: Job) -> Backend:
    """The backend that a job asks for: a pair where certificates are transferred."""
    backend: Backend = open_backend(
        job.model,
        job.law,
        job.seed,
        backend=job.backend,
        device=job.device,
        precision=job.precision,
        batch=job.batch,
        threads=job.threads,
    )
    if job.reference is None:
        return backend
    return open_pair(job.model, backend, job.reference, job.law, job.seed, job.threads)


class LocalExecutor:
    """An Executor that is this process: one backend, images decoded in a thread of their own."""

    def open(self, job: Job) -> dict[str, Any]:
        """See Executor.open."""
        self._procedure = job.procedure
        self._backend = open_job_backend(job)
        return describe_session(self._backend)

    def results(
        self, source: ImageSource, indices: Sequence[int], on_batch: Callable[[int], None]
    ) -> Results:
        """See Executor.results."""
        failed: list[FailedImage] = []
        images = decoded_ahead(source, indices, on_failure=failed.append)
        try:
            for outcome in Scheduler(self._backend, self._procedure, on_batch).run(images):
                while failed:
                    yield failed.pop(0)
                yield outcome
            yield from failed
        finally:
            images.close()

    def close(self) -> None:
        """See Executor.close."""
