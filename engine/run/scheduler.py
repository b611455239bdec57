"""Continuous batching: one batch holds rows of many images, and a decided image makes room.

Selection samples, early decisions and the ends of images therefore cost no padding, and the
device is not left waiting for one image's statistics: while a decision is open, the batch is
filled from the next images.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from smoothcert.engine.backends.base import Backend, Rows
from smoothcert.engine.log.rows import Certificate
from smoothcert.engine.sources.base import LabelledImage
from smoothcert.engine.statistics.procedures import Counts, Decision, Procedure, SampleRange, Trial


@dataclass(eq=False)
class _Active:
    image: LabelledImage
    slot: int
    trial: Trial
    wanted: SampleRange
    counts: Counts
    issued: int = 0
    received: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class _Segment:
    """Consecutive samples of one image inside a batch."""

    active: _Active
    first: int
    count: int


class Scheduler:
    """Runs a procedure over images on a backend; see the module's text.

    on_batch, if given, is called after every batch with the number of samples it held.
    """

    def __init__(
        self,
        backend: Backend,
        procedure: Procedure,
        on_batch: Callable[[int], None] | None = None,
    ) -> None:
        self._backend = backend
        self._procedure = procedure
        self._on_batch = on_batch
        self._active: list[_Active] = []
        self._free_slots = list(range(backend.num_slots))[::-1]
        self._in_flight: deque[list[_Segment]] = deque()

    def run(self, images: Iterable[LabelledImage]) -> Iterator[Certificate]:
        """Yield every image's certificate as soon as it is decided.

        What is yielded for an image depends on that image alone: not on the batch size, on the
        other images or on their order (only the order of the certificates does).
        """
        waiting = iter(images)
        mark = time.perf_counter()
        while True:
            batch = self._fill(waiting)
            if batch:
                self._backend.submit(_rows(batch))
                self._in_flight.append(batch)
            elif not self._in_flight:
                return
            if batch and len(self._in_flight) < self._backend.depth:
                continue
            segments = self._in_flight.popleft()
            votes = self._backend.collect()
            now = time.perf_counter()
            seconds_per_row, mark = (now - mark) / len(votes), now
            if self._on_batch:
                self._on_batch(len(votes))
            yield from self._absorb(segments, votes, seconds_per_row)

    def abandon(self) -> None:
        """Collect and drop what is in flight, so that the backend can serve another scheduler."""
        while self._in_flight:
            self._in_flight.popleft()
            self._backend.collect()

    def _fill(self, waiting: Iterator[LabelledImage]) -> list[_Segment]:
        """Rows for one batch: the oldest images first, then new ones."""
        room = self._backend.batch_size
        batch: list[_Segment] = []
        for active in self._active:
            if room == 0:
                return batch
            room -= self._take(active, room, batch)
        while room and self._free_slots:
            image = next(waiting, None)
            if image is None:
                break
            slot = self._free_slots.pop()
            self._backend.place(slot, image.index, image.pixels)
            trial = self._procedure.trial(image.label)
            counts = np.zeros(self._backend.num_classes, np.int64)
            active = _Active(image, slot, trial, next(trial), counts)
            self._active.append(active)
            room -= self._take(active, room, batch)
        return batch

    @staticmethod
    def _take(active: _Active, room: int, batch: list[_Segment]) -> int:
        count = min(room, active.wanted.count - active.issued)
        if count > 0:
            batch.append(_Segment(active, active.wanted.first + active.issued, count))
            active.issued += count
        return count

    def _absorb(
        self, segments: list[_Segment], votes: npt.NDArray[np.int32], seconds_per_row: float
    ) -> Iterator[Certificate]:
        start = 0
        for segment in segments:
            active = segment.active
            own = votes[start : start + segment.count]
            start += segment.count
            active.counts += np.bincount(own[own >= 0], minlength=len(active.counts))
            active.received += segment.count
            active.seconds += seconds_per_row * segment.count
            if active.received == active.wanted.count:
                decision = self._advance(active)
                if decision:
                    image = active.image
                    yield Certificate(image.index, image.label, decision, active.seconds)

    def _advance(self, active: _Active) -> Decision | None:
        """Hand the counts of the finished range to the trial; its decision, once it has one."""
        try:
            active.wanted = active.trial.send(active.counts)
        except StopIteration as end:
            self._active.remove(active)
            self._free_slots.append(active.slot)
            decision = end.value
            assert isinstance(decision, Decision)
            return decision
        active.counts = np.zeros_like(active.counts)
        active.issued = active.received = 0
        return None


def _rows(batch: list[_Segment]) -> Rows:
    counts = [segment.count for segment in batch]
    return Rows(
        slots=np.repeat(np.array([s.active.slot for s in batch], np.int32), counts),
        samples=np.concatenate(
            [np.arange(s.first, s.first + s.count, dtype=np.uint32) for s in batch]
        ),
        purposes=np.repeat(np.array([s.active.wanted.purpose for s in batch], np.uint32), counts),
    )
