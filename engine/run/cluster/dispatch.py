"""Which worker gets which image: pure bookkeeping, with no cluster in it.

Workers hold a few images ahead, so that none waits for the driver; the number grows at workers
that ran dry, and shrinks towards the end of the run, where an image that waits behind another is
taken back for a worker that has nothing. A worker that is lost costs only the images it held.
"""

from collections import deque
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field

_AHEAD, _MOST_AHEAD = 2, 512
_SUSPECT = 2
"""Losses after which an image is suspected, and run by a worker that holds nothing else."""
_GUILTY = 4
"""Losses after which it is given up: at least two of them happened to it alone."""


@dataclass
class _Holding:
    """The images a worker was given and has not reported, and how many may wait there."""

    images: set[int] = field(default_factory=set)
    ahead: int = _AHEAD
    waiting: int = 0


class Dispatch:
    """The state of a run's images, each of which is unassigned, held by one worker, or done."""

    def __init__(self, indices: Iterable[int]) -> None:
        self._unassigned = deque(indices)
        self._suspects: deque[int] = deque()
        self._losses: dict[int, int] = {}
        self._workers: dict[Hashable, _Holding] = {}
        self._open = len(self._unassigned)

    @property
    def finished(self) -> bool:
        """Whether every image is done."""
        return self._open == 0

    @property
    def unassigned(self) -> int:
        """Images that no worker holds."""
        return len(self._unassigned) + len(self._suspects)

    def join(self, worker: Hashable) -> None:
        """A worker is ready."""
        self._workers[worker] = _Holding()

    def leave(self, worker: Hashable) -> tuple[int, list[int]]:
        """A worker is lost. Returns how many images it held, and those of them that are given up
        (and thereby done) because workers kept being lost with them."""
        held = sorted(self._workers.pop(worker).images)
        guilty: list[int] = []
        for index in reversed(held):
            losses = self._losses[index] = self._losses.get(index, 0) + 1
            if losses >= _GUILTY:
                guilty.append(index)
            elif losses >= _SUSPECT:
                self._suspects.append(index)
            else:
                self._unassigned.appendleft(index)
        self._open -= len(guilty)
        return len(held), guilty

    def done(self, worker: Hashable, index: int) -> bool:
        """An image is done. False where this worker does not hold it: its result is to be left
        out, since another has it or had it."""
        holding = self._workers.get(worker)
        if holding is None or index not in holding.images:
            return False
        holding.images.remove(index)
        self._open -= 1
        return True

    def holds(self, worker: Hashable) -> int:
        """The number of images a worker has been given and not done."""
        return len(self._workers[worker].images)

    def returned(self, worker: Hashable, indices: Iterable[int]) -> None:
        """A worker has given images back, last ones first."""
        holding = self._workers.get(worker)
        if holding is None:  # lost meanwhile: `leave` has them
            return
        for index in indices:
            if index in holding.images:
                holding.images.remove(index)
                self._unassigned.appendleft(index)

    def next_for(self, worker: Hashable, waiting: int, starved: bool = False) -> list[int]:
        """The images to send to a worker at which `waiting` wait (or are on their way)."""
        holding = self._workers[worker]
        holding.waiting = waiting
        if any(self._losses.get(index, 0) >= _SUSPECT for index in holding.images):
            return []
        if starved and self._unassigned:
            holding.ahead = min(2 * holding.ahead, _MOST_AHEAD)
        given = [
            self._unassigned.popleft()
            for _ in range(min(self._ahead(holding) - waiting, len(self._unassigned)))
        ]
        if not given and not holding.images and self._suspects:
            given.append(self._suspects.popleft())
        holding.images.update(given)
        holding.waiting += len(given)
        return given

    def low(self, worker: Hashable) -> int:
        """A worker at which fewer images than this wait should report at once."""
        holding = self._workers[worker]
        return (self._ahead(holding) + 1) // 2 if self._unassigned else 0

    def to_relieve(self) -> tuple[Hashable, int] | None:
        """A worker to take images back from, and how many, where another has nothing to do."""
        idle = sum(not holding.images for holding in self._workers.values())
        if self.unassigned or not idle:
            return None
        worker = max(self._workers, key=lambda name: self._workers[name].waiting)
        holding = self._workers[worker]
        count = min(idle, holding.waiting)
        if count < 1 or len(holding.images) < 2:
            return None
        holding.waiting = 0  # until its next report
        return worker, count

    def _ahead(self, holding: _Holding) -> int:
        share = len(self._unassigned) // (2 * max(1, len(self._workers)))
        return max(1, min(holding.ahead, share))
