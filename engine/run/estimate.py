"""What a run will take: a pilot of a few of its images, and what each mode would draw of them."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from smoothcert.engine.base.doing import doing, each_of
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.noise.streams import Purpose
from smoothcert.engine.run.execution import Job
from smoothcert.engine.run.scheduler import Scheduler
from smoothcert.engine.sources.base import FailedImage, ImageSource, LabelledImage
from smoothcert.engine.sources.reading import decoded_ahead
from smoothcert.engine.sources.selecting.subset import is_unlabelled
from smoothcert.engine.statistics.forecast import forecast_samples
from smoothcert.engine.statistics.procedures import Counts, Decision, Procedure, SampleRange, Trial

PILOT_SAMPLES = 500
MOST_IMAGES, LEAST_IMAGES = 32, 4
SECONDS = 45.0
"""After so long no further image is tried, of those beyond LEAST_IMAGES."""

_TRIALS = 8


@dataclass(frozen=True)
class ModeEstimate:
    """What a mode would take for all images of a run.

    options     that choose the mode
    per_image   mean samples of an image; error, its standard error over the images tried
    samples     of all images; hours, at the rate of the pilot
    """

    options: str
    per_image: float
    error: float
    samples: float
    hours: float


@dataclass(frozen=True)
class Estimate:
    """What a run would take, by mode; `images` are selected, and `tried` of them had a pilot."""

    sigma: float
    images: int
    tried: int
    samples_per_second: float
    modes: tuple[ModeEstimate, ...]


class _Pilot:
    """Trials that take some samples of each image, and keep their counts."""

    def __init__(self) -> None:
        self.votes: list[tuple[int, Counts]] = []

    def trial(self, label: int | None = None) -> Trial:
        """See Trials.trial."""
        counts = yield SampleRange(Purpose.PILOT, 0, PILOT_SAMPLES)
        self.votes.append((-1 if label is None else label, counts.copy()))
        return Decision(-1, 0.0, int(counts.max()), PILOT_SAMPLES, 0, PILOT_SAMPLES)


class _Clock:
    """Samples per second, from the end of the first batch on: it may be the one that warms up."""

    def __init__(self) -> None:
        self._start = self._begun = self._last = time.perf_counter()
        self._samples = self._first = 0

    def batch(self, samples: int) -> None:
        """A batch is through."""
        now = time.perf_counter()
        if not self._samples:
            self._first, self._begun = samples, now
        self._samples += samples
        self._last = now

    @property
    def rate(self) -> float:
        """Of the batches after the first one; of that, where there is no other."""
        if self._samples > self._first:
            return (self._samples - self._first) / max(self._last - self._begun, 1e-9)
        return self._samples / max(self._last - self._start, 1e-9)


def _in_time(images: Iterable[LabelledImage]) -> Iterator[LabelledImage]:
    """The images, fewer where they take long."""
    start = time.monotonic()
    for number, image in enumerate(images):
        if number >= LEAST_IMAGES and time.monotonic() - start > SECONDS:
            return
        yield image


def estimate_run(
    job: Job, source: ImageSource, indices: Sequence[int], modes: Mapping[str, Procedure]
) -> Estimate:
    """Draw a pilot of some images, evenly spread over `indices`, and forecast each mode's samples.

    Writes nothing. Its samples are of a stream of their own, and part of no certificate. An image
    that cannot be read is passed over; raises InputError where none can. Modes that heed labels are
    left out where there are none.
    """
    number = min(MOST_IMAGES, len(indices))
    chosen = [indices[len(indices) * i // number] for i in range(number)]
    backend = job.open_backend()
    failed: list[FailedImage] = []
    pilot, clock = _Pilot(), _Clock()
    images = decoded_ahead(source, chosen, on_failure=failed.append)
    try:
        with doing("trying images", number) as step:
            for done, _ in enumerate(Scheduler(backend, pilot, clock.batch).run(_in_time(images))):
                step(done + 1)
    finally:
        images.close()
        backend.close()
    if not pilot.votes:
        raise InputError(
            f"none of {number} images can be read, the first being {failed[0].index}: "
            f"{failed[0].reason}"
        )
    unlabelled = is_unlabelled(source.describe())
    found = []
    for options, procedure in each_of(modes.items(), "reckoning each mode", len(modes)):
        if unlabelled and getattr(procedure, "label_aware", False):
            continue
        drawn = forecast_samples(procedure, pilot.votes, _TRIALS).mean(axis=1)
        mean = float(drawn.mean())
        error = float(drawn.std(ddof=1) / len(drawn) ** 0.5) if len(drawn) > 1 else 0.0
        samples = mean * len(indices)
        found.append(ModeEstimate(options, mean, error, samples, samples / clock.rate / 3600))
    return Estimate(job.law.sigma, len(indices), len(pilot.votes), clock.rate, tuple(found))
