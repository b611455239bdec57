"""What carries a run out: in this process (here), or on a cluster (cluster/)."""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, runtime_checkable

from smoothcert.engine.backends.base import Backend, Compute
from smoothcert.engine.backends.opening import open_backend
from smoothcert.engine.base.machine import describe_machine
from smoothcert.engine.log.rows import Certificate
from smoothcert.engine.models.model import Model
from smoothcert.engine.noise.lattice import LatticeGaussian
from smoothcert.engine.run.scheduler import Scheduler
from smoothcert.engine.sources.base import FailedImage, ImageSource
from smoothcert.engine.sources.reading import decoded_ahead
from smoothcert.engine.statistics.procedures import Procedure


@dataclass(frozen=True)
class NewMachine:
    """A kind of machine takes part that the session returned by `open` does not describe."""

    session: dict[str, Any]


Results = Generator[Certificate | FailedImage | NewMachine, None, None]


@dataclass(frozen=True, kw_only=True)
class Job:
    """One run: what decides the outcome of an image, and how it is computed.

    procedure  made with the total variation of `law` over one image of the model's
    reference  the model that certificates are transferred to, with a TransferCertify procedure
    """

    model: Model
    law: LatticeGaussian
    procedure: Procedure
    seed: int
    compute: Compute = field(default_factory=Compute)
    reference: Model | None = None

    def computed(self, **changes: Any) -> "Job":
        """The same run with another way to compute: fields of Compute."""
        return replace(self, compute=replace(self.compute, **changes))

    def open_backend(self) -> Backend:
        """The backend that runs it."""
        return open_backend(self.model, self.law, self.seed, self.compute, reference=self.reference)


class Executor(Protocol):
    """Certifies images for a job. What it yields for an image depends on job and image alone."""

    def open(self, job: Job) -> dict[str, Any]:
        """Make ready; returns the session for the manifest: machine and `backend`."""
        ...

    def results(
        self, source: ImageSource, indices: Sequence[int], on_batch: Callable[[int], None]
    ) -> Results:
        """Every image's certificate, or its failure to be read, once each and in any order; and
        between them, what other machines took part.

        on_batch is told of samples as they are drawn.
        """
        ...

    def close(self) -> None:
        """Let go of everything; also after an error, and more than once. It may be opened again."""
        ...


@runtime_checkable
class SendingExecutor(Executor, Protocol):
    """An Executor that has other processes read images, or may."""

    def check_source(self, source: ImageSource) -> None:
        """Raise InputError where they could not read this one; asked before anything is written."""
        ...


def describe_session(backend: Backend) -> dict[str, Any]:
    """The machine and the backend as it runs on it, for the manifest."""
    return {**describe_machine(), "backend": backend.describe()}


class LocalExecutor:
    """An Executor that is this process: one backend, images decoded in a thread of their own."""

    _backend: Backend | None = None

    def open(self, job: Job) -> dict[str, Any]:
        """See Executor.open."""
        self._procedure = job.procedure
        self._backend = backend = job.open_backend()
        return describe_session(backend)

    def results(
        self, source: ImageSource, indices: Sequence[int], on_batch: Callable[[int], None]
    ) -> Results:
        """See Executor.results."""
        assert self._backend is not None, "open comes first"
        failed: list[FailedImage] = []
        images = decoded_ahead(source, indices, on_failure=failed.append)
        try:
            for certificate in Scheduler(self._backend, self._procedure, on_batch).run(images):
                while failed:
                    yield failed.pop(0)
                yield certificate
            yield from failed
        finally:
            images.close()

    def close(self) -> None:
        """See Executor.close."""
        backend, self._backend = self._backend, None
        if backend is not None:
            backend.close()
