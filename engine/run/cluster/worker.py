"""One worker: a backend that certifies whatever images arrive, and says what became of them."""

import hashlib
import importlib.metadata
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from smoothcert.engine.log.rows import Certificate
from smoothcert.engine.run.cluster.connection import load_ray
from smoothcert.engine.run.cluster.feed import Assignment, ImageFeed
from smoothcert.engine.run.cluster.shipping import ShippedModel, receive
from smoothcert.engine.run.execution import Job, describe_session
from smoothcert.engine.run.scheduler import Scheduler
from smoothcert.engine.sources.base import UNREADABLE, FailedImage, ImageSource, LabelledImage
from smoothcert.engine.sources.reading import load

_PAUSE_SECONDS = 0.02
"""Reports of one worker are at least so far apart: short images travel together."""


@dataclass(frozen=True)
class WorkerJob:
    """A job, with its models and (where workers read the images) its source in the object store.

    models  the job's model, and the reference that its certificates are transferred to, if any
    source  a list of one reference to the source, or of none
    """

    job: Job
    models: Sequence[ShippedModel]
    source: Sequence[Any]


@dataclass(frozen=True)
class Report:
    """What happened at a worker since its last report.

    waiting  images it holds and has not begun, of the `accepted` it was ever given
    starved  it could have begun another image and had none
    busy     seconds in which it had an image to work on
    """

    certificates: list[Certificate]
    failed: list[FailedImage]
    samples: int
    waiting: int
    accepted: int
    starved: bool
    busy: float


class Worker:
    """The actor. Its calls only exchange messages; a thread of its own certifies.

    Calls may overlap. What goes wrong in the thread is raised by the next `poll`.
    """

    def __init__(self, shipped: WorkerJob) -> None:
        self._ray = load_ray()
        self._shipped = shipped
        self._source: ImageSource | None = None
        self._changed = threading.Condition()
        self._feed = ImageFeed(self._read, self._changed)
        self._session: dict[str, Any] | None = None
        self._error: BaseException | None = None
        self._certificates: list[Certificate] = []
        self._samples = 0
        self._busy = 0.0
        self._busy_since: float | None = None
        self._reported = 0.0
        self._thread = threading.Thread(target=self._work, name="smoothcert-worker", daemon=True)
        self._thread.start()

    def start(self) -> dict[str, Any]:
        """Wait for the backend; returns the session it is, `smoothcert` being the version."""
        with self._changed:
            self._changed.wait_for(lambda: self._session is not None or self._error is not None)
            self._raise_error()
            assert self._session is not None
            return {**self._session, "smoothcert": importlib.metadata.version("smoothcert")}

    def read_digests(self, indices: Sequence[int]) -> list[str | None]:
        """SHA-256 of images as this worker reads them; None where it cannot."""
        return [digest_of(self._read, index) for index in indices]

    def assign(self, assignments: list[Assignment]) -> None:
        """Take images."""
        self._feed.put(assignments)

    def take_back(self, count: int) -> list[int]:
        """Give up to `count` images back that have not been begun."""
        return self._feed.take_back(count)

    def poll(self, sent: int, low: int, seconds: float) -> Report:
        """Report when an image is decided or has failed, when fewer than `low` images wait
        (once all `sent` have arrived), and in any case after `seconds`."""

        def telling() -> bool:
            if self._error or self._certificates or self._feed.failed:
                return True
            return self._feed.accepted >= sent and len(self._feed) < low

        end = time.monotonic() + seconds
        with self._changed:
            self._changed.wait_for(telling, seconds)
            # A busy worker has time to say more at once.
            pause = min(self._reported + _PAUSE_SECONDS, end) - time.monotonic()
            if pause > 0:
                self._changed.wait_for(lambda: self._error is not None, pause)
            self._raise_error()
            self._reported = time.monotonic()
            return self._take_report()

    def _take_report(self) -> Report:
        now = time.perf_counter()
        busy, self._busy = self._busy, 0.0
        if self._busy_since is not None:
            busy += now - self._busy_since
            self._busy_since = now
        certificates, self._certificates = self._certificates, []
        failed, self._feed.failed = self._feed.failed, []
        samples, self._samples = self._samples, 0
        starved, self._feed.starved = self._feed.starved, False
        waiting, accepted = len(self._feed), self._feed.accepted
        return Report(certificates, failed, samples, waiting, accepted, starved, busy)

    def _raise_error(self) -> None:
        if self._error is not None:
            raise self._error

    def _read(self, index: int) -> LabelledImage:
        if self._source is None:
            self._source = self._ray.get(self._shipped.source[0])
        return load(self._source, index)

    def _work(self) -> None:
        try:
            job = self._shipped.job
            model, *others = [receive(each, self._ray.get) for each in self._shipped.models]
            job = replace(job, model=model, reference=others[0] if others else None)
            backend = job.open_backend()
            with self._changed:
                self._session = describe_session(backend)
                self._changed.notify_all()
            scheduler = Scheduler(backend, job.procedure, self._drew)
            while self._feed.wait():
                with self._changed:
                    self._busy_since = time.perf_counter()
                for certificate in scheduler.run(self._feed):
                    with self._changed:
                        self._certificates.append(certificate)
                        self._changed.notify_all()
                with self._changed:
                    self._busy += time.perf_counter() - self._busy_since
                    self._busy_since = None
        except BaseException as error:  # whatever it is, the driver must hear of it
            with self._changed:
                self._error = error
                self._changed.notify_all()

    def _drew(self, samples: int) -> None:
        with self._changed:
            self._samples += samples


def digest_of(read: Any, index: int) -> str | None:
    """SHA-256 of an image's label and pixels; None where it cannot be read."""
    try:
        image = read(index)
    except UNREADABLE:
        return None
    return hashlib.sha256(f"{image.label} {image.pixels.shape}".encode() + image.pixels.tobytes()
                          ).hexdigest()  # fmt: skip
