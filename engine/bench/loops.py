"""The product's own loops: certification as `certify` runs it, and the runtime alone."""

import itertools
import time
from collections.abc import Iterator

import numpy as np

from smoothcert.engine.backends.base import Backend
from smoothcert.engine.run.scheduler import Scheduler
from smoothcert.engine.sources.base import LabelledImage
from smoothcert.engine.statistics.procedures import FixedCertify

N0, N = 100, 10_000
_IMAGES = 16
_RUNS_PER_WAIT = 16


class _TimeIsUpError(Exception):
    """Ends a scheduler's endless run."""


def synthetic_images(shape: tuple[int, int, int]) -> Iterator[LabelledImage]:
    """Endless uint8 images of uniform pixels, all of different indices."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (_IMAGES, *shape), dtype=np.uint8)
    for index in itertools.count():
        yield LabelledImage(index, 0, pixels[index % _IMAGES])


class CertificationLoop:
    """Scheduler and CERTIFY over an endless source: what a long run does, without its ends.

    stage_seconds  where the time of all measured runs went, for a backend that tells
    """

    name = "certification"

    def __init__(self, backend: Backend, sigma: float) -> None:
        self._backend = backend
        self._procedure = FixedCertify(sigma, N0, N)
        self.seconds = 0.0
        self.samples = 0
        self.stage_seconds: dict[str, float] = {}

    def warm(self, seconds: float) -> None:
        """See Loop.warm."""
        self._work(seconds)

    def run(self, seconds: float) -> tuple[int, float]:
        """See Loop.run."""
        backend = self._backend
        before = dict(backend.stage_seconds)
        samples, elapsed = self._work(seconds)
        for stage, total in backend.stage_seconds.items():
            spent = total - before.get(stage, 0.0)
            self.stage_seconds[stage] = self.stage_seconds.get(stage, 0.0) + spent
        self.seconds += elapsed
        self.samples += samples
        return samples, elapsed

    def _work(self, seconds: float) -> tuple[int, float]:
        samples, last = 0, 0.0
        start = time.perf_counter()

        def count(batch: int) -> None:
            nonlocal samples, last
            samples += batch
            last = time.perf_counter()
            if last - start >= seconds:
                raise _TimeIsUpError

        scheduler = Scheduler(self._backend, self._procedure, count)
        try:
            for _ in scheduler.run(synthetic_images(self._backend.spec.shape)):
                pass
        except _TimeIsUpError:
            scheduler.abandon()
        return samples, last - start


class RuntimeLoop:
    """The network alone, on the same session and batch, its input constant: the loop's limit."""

    name = "runtime"

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        # On a device one wait for many runs: waiting for each would leave it idle in between.
        self._times = 1 if backend.depth == 1 else _RUNS_PER_WAIT

    def warm(self, seconds: float) -> None:
        """See Loop.warm."""
        self.run(seconds)

    def run(self, seconds: float) -> tuple[int, float]:
        """See Loop.run."""
        samples, start = 0, time.perf_counter()
        while True:
            self._backend.run_network(self._times)
            samples += self._times * self._backend.batch_size
            elapsed = time.perf_counter() - start
            if elapsed >= seconds:
                return samples, elapsed
