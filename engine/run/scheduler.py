"""Continuous batching: one batch holds rows of many images, and a decided image makes room.

Selection samples, early decisions and the ends of images therefore cost no padding, and the
device is not left waiting for one image's statistics: while a decision is open, the batch is
filled from the next images.

A few rows of every image are drawn a second time, in a later batch and another place, and their
votes compared: what certifies must be one function of a row (backends/independence.py).
"""

import hashlib
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice, pairwise

import numpy as np
import numpy.typing as npt

from smoothcert.engine.backends.base import Backend, Rows
from smoothcert.engine.log.rows import Certificate
from smoothcert.engine.sources.base import LabelledImage
from smoothcert.engine.sources.pixels import pixels_digest
from smoothcert.engine.statistics.procedures import Counts, Decision, SampleRange, Trial, Trials

REPEATED = 4
"""The most rows of an image that are drawn again."""

_SAMPLES_PER_REPEAT = 128
_SHARE = 8
"""Of a batch, the share that may be rows drawn again."""

_FEW_BATCHES = 50
"""With fewer, a batch for the last rows alone would cost more than 2 %."""


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
    drawn: int = 0  # in the ranges before this one
    chosen: tuple[int, ...] = ()  # the samples of this range that are to be drawn again
    choices: int = 0
    pending: int = 0  # rows that are being drawn again
    repeated: int = 0
    turned: int = 0
    decision: Decision | None = None


@dataclass(frozen=True)
class _Segment:
    """Consecutive samples of one image inside a batch; `vote` is that of a row drawn again."""

    active: _Active
    purpose: int
    first: int
    count: int
    vote: int | None = None


class Scheduler:
    """Runs a procedure over images on a backend; see the module's text.

    on_batch    if given, is called after every batch with the number of new samples it held
    last_batch  where an image's rows are still to be drawn again when no other work is left, spend
                a batch on them, however short the run was
    """

    def __init__(
        self,
        backend: Backend,
        procedure: Trials,
        on_batch: Callable[[int], None] | None = None,
        *,
        last_batch: bool = True,
    ) -> None:
        self._backend = backend
        self._procedure = procedure
        self._on_batch = on_batch
        self._last_batch = last_batch
        self._batches = 0
        self._again: deque[_Segment] = deque()
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
            elif not self._in_flight and not self._again:
                return
            elif not self._in_flight:
                yield from self._give_up_repeats()
                continue
            if batch and len(self._in_flight) < self._backend.depth:
                continue
            segments = self._in_flight.popleft()
            votes = self._backend.collect()
            self._batches += 1
            now = time.perf_counter()
            seconds_per_row, mark = (now - mark) / len(votes), now
            if self._on_batch:
                self._on_batch(sum(each.count for each in segments if each.vote is None))
            yield from self._absorb(segments, votes, seconds_per_row)

    def abandon(self) -> None:
        """Collect and drop what is in flight, so that the backend can serve another scheduler."""
        while self._in_flight:
            self._in_flight.popleft()
            self._backend.collect()
        self._again.clear()

    def _fill(self, waiting: Iterator[LabelledImage]) -> list[_Segment]:
        """Rows for one batch: those to be drawn again, then the oldest images', then new ones'."""
        size = self._backend.batch_size
        again = list(islice(self._again, max(1, size // _SHARE)))
        batch = self._fill_new(waiting, size - len(again))
        # Alone they would cost a batch, and more may come.
        alone = not self._in_flight and (self._last_batch or self._batches >= _FEW_BATCHES)
        if not batch and not (again and alone):
            return []
        for _ in again:
            self._again.popleft()
        return again + batch

    def _fill_new(self, waiting: Iterator[LabelledImage], room: int) -> list[_Segment]:
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
            self._choose(active)
            self._active.append(active)
            room -= self._take(active, room, batch)
        return batch

    @staticmethod
    def _take(active: _Active, room: int, batch: list[_Segment]) -> int:
        count = min(room, active.wanted.count - active.issued)
        if count > 0:
            wanted = active.wanted
            batch.append(_Segment(active, wanted.purpose, wanted.first + active.issued, count))
            active.issued += count
        return count

    @staticmethod
    def _choose(active: _Active) -> None:
        """Which samples of the wanted range are drawn again: one of every image's first range,
        further ones (up to REPEATED) where many samples are drawn, each from a part of its own."""
        wanted = active.wanted
        most = min(REPEATED, 1 + (active.drawn + wanted.count) // _SAMPLES_PER_REPEAT)
        parts = max(0, min(most - active.choices, wanted.count))
        active.choices += parts
        ends = [wanted.count * part // max(parts, 1) for part in range(parts + 1)]
        active.chosen = tuple(
            wanted.first + _hashed(f"{active.image.index} {wanted.purpose} {start}", start, end)
            for start, end in pairwise(ends)
        )

    def _absorb(
        self, segments: list[_Segment], votes: npt.NDArray[np.int32], seconds_per_row: float
    ) -> Iterator[Certificate]:
        start = 0
        for segment in segments:
            active = segment.active
            own = votes[start : start + segment.count]
            start += segment.count
            active.seconds += seconds_per_row * segment.count
            if segment.vote is not None:
                active.pending -= 1
                active.repeated += 1
                active.turned += int(own[0] != segment.vote)
            else:
                active.counts += np.bincount(own[own >= 0], minlength=len(active.counts))
                active.received += segment.count
                for place in (sample - segment.first for sample in active.chosen):
                    if 0 <= place < segment.count:
                        self._draw_again(segment, place, int(own[place]))
                if active.received == active.wanted.count:
                    self._advance(active)
            if active.decision is not None and not active.pending:
                yield self._finish(active)

    def _give_up_repeats(self) -> Iterator[Certificate]:
        """Finish the images that wait for nothing but rows to be drawn again."""
        while self._again:
            active = self._again.popleft().active
            active.pending -= 1
            if active.decision is not None and not active.pending:
                yield self._finish(active)

    def _draw_again(self, segment: _Segment, place: int, vote: int) -> None:
        sample = segment.first + place
        self._again.append(_Segment(segment.active, segment.purpose, sample, 1, vote))
        segment.active.pending += 1

    def _advance(self, active: _Active) -> None:
        """Hand the counts of the finished range to the trial; keep its decision, once it has one:
        its image stays where it is until its rows have been drawn again."""
        active.drawn += active.wanted.count
        try:
            active.wanted = active.trial.send(active.counts)
        except StopIteration as end:
            decision = end.value
            assert isinstance(decision, Decision)
            active.decision = decision
            self._active.remove(active)
            return
        active.counts = np.zeros_like(active.counts)
        active.issued = active.received = 0
        self._choose(active)

    def _finish(self, active: _Active) -> Certificate:
        assert active.decision is not None
        self._free_slots.append(active.slot)
        image = active.image
        return Certificate(
            image.index,
            image.label,
            active.decision,
            active.seconds,
            pixels_digest(image.pixels),
            repeated=active.repeated,
            turned=active.turned,
        )


def _hashed(address: str, start: int, end: int) -> int:
    """A number of start .. end - 1 that the address decides."""
    digest = hashlib.blake2b(address.encode(), digest_size=8).digest()
    return start + int.from_bytes(digest, "little") % (end - start)


def _rows(batch: list[_Segment]) -> Rows:
    counts = [segment.count for segment in batch]
    return Rows(
        slots=np.repeat(np.array([s.active.slot for s in batch], np.int32), counts),
        samples=np.concatenate(
            [np.arange(s.first, s.first + s.count, dtype=np.uint32) for s in batch]
        ),
        purposes=np.repeat(np.array([s.purpose for s in batch], np.uint32), counts),
    )
