"""How far the table of one image is: what its votes have certified, and what is still open."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from smoothcert.engine.noise.streams import Purpose
from smoothcert.engine.statistics.bounds import ABSTAIN
from smoothcert.engine.statistics.procedures import Counts, Decision, SampleRange
from smoothcert.engine.statistics.sequential import Ints
from smoothcert.engine.statistics.table_boundaries import BoundaryTable


def hoped_for(futile: Sequence[int], votes: int) -> int:
    """How many radii, from the smallest on, are not given up at a look with these votes."""
    return int(np.searchsorted(futile, votes, side="left"))


@dataclass
class TableState:
    """An image between two looks of table mode.

    What it certifies holds whenever sampling stops: boundaries are exact for any number of looks,
    and looks that never come cost certificates alone (table_boundaries.py).

    asked   the levels of the radii asked for
    futile  [look][i]: with at most so many votes, the i-th of them is given up
    label   of a label-aware trial; None of others
    ended   whether every radius is certified or given up, or the looks are over
    """

    table: BoundaryTable
    asked: Ints
    futile: Sequence[Sequence[int]]
    label: int | None
    looked: int = 0
    ended: bool = False
    counts: Counts = field(default_factory=lambda: np.zeros(0, np.int64))
    _holder: int = ABSTAIN
    _best: int = -1
    _evidence: tuple[int, int] = (0, 0)
    _votes: int = 0
    _two_hold: bool = False

    @property
    def drawn(self) -> int:
        """Samples so far."""
        return self.table.looks[self.looked - 1] if self.looked else 0

    @property
    def wanted(self) -> SampleRange:
        """The samples up to the next look; expects that it has not ended."""
        return SampleRange(
            Purpose.ESTIMATION, self.drawn, self.table.looks[self.looked] - self.drawn
        )

    @property
    def passed(self) -> int:
        """How many of the radii asked for are certified."""
        return int(np.searchsorted(self.asked, self._best, side="right"))

    @property
    def votes(self) -> int:
        """Of the class that sampling goes on for."""
        return self._votes

    @property
    def any_class(self) -> bool:
        """Whether sampling goes on for whichever class leads: none holds a radius, none is asked
        for."""
        return self._holder == ABSTAIN and self.label is None

    @property
    def runner_up(self) -> int:
        """The votes of the class with most but one."""
        return int(np.sort(self.counts)[-2]) if len(self.counts) > 1 else 0

    @property
    def undecided(self) -> int:
        """How many of the radii asked for are neither certified nor given up."""
        if self.ended:
            return 0
        # With these votes the larger ones may be given up, though sampling goes on for a smaller.
        votes = self._votes if self.looked else self.table.looks[0]
        return hoped_for(self.futile[max(0, self.looked - 1)], votes) - self.passed

    def take(self, new: Counts) -> None:
        """The counts of the wanted samples."""
        j, table = self.looked, self.table
        self.counts = self.counts + new if len(self.counts) else new.copy()
        self.looked += 1
        # Level 0 takes more than half of the votes: only the first class can have it.
        top = int(np.argmax(self.counts))
        level = table.level(j, int(self.counts[top]))
        if level >= 0 and self._holder not in (ABSTAIN, top):
            self._two_hold = self.ended = True
            return
        if level > self._best:
            self._holder, self._best = top, level
            self._evidence = int(self.counts[top]), self.drawn
        tested = top if self._holder == ABSTAIN else self._holder
        if self.label is not None:
            tested = self.label
        self._votes = int(self.counts[tested]) if 0 <= tested < len(self.counts) else 0
        self.ended = self._over(tested)

    def parts(self) -> dict[str, Any]:
        """What an image that has not ended goes on from, of JSON's types: see `resumed`."""
        voted = np.flatnonzero(self.counts).tolist()
        return {
            "looks": self.looked,
            "votes": [[index, int(self.counts[index])] for index in voted],
            "holder": self._holder,
            "evidence": list(self._evidence),
        }

    def resume(self, parts: Mapping[str, Any], classes: int) -> None:
        """Go on, from nothing known, where `parts` were left; raises ValueError, TypeError or
        KeyError for parts of no image that sampling goes on for."""
        table, looked = self.table, parts["looks"]
        counts = np.zeros(classes, np.int64)
        for index, votes in parts["votes"]:
            counts[range(classes)[index]] = votes
        if not 1 <= looked < len(table.looks) or counts.min() < 0:
            raise ValueError(f"{looked} looks")
        self.looked, self.counts = looked, counts
        if counts.sum() > self.drawn:
            raise ValueError(f"{counts.sum()} votes of {self.drawn} samples")
        tested = int(np.argmax(counts))
        if parts["holder"] != ABSTAIN:
            count, n = parts["evidence"]
            self._holder = tested = range(classes)[parts["holder"]]
            self._best, self._evidence = table.level(table.looks.index(n), count), (count, n)
            if n > self.drawn or not 0 <= count <= counts[tested] or self._best < 0:
                raise ValueError(f"evidence {count} of {n}")
        tested = tested if self.label is None else self.label
        self._votes = int(counts[tested]) if 0 <= tested < classes else 0
        if self._over(tested):
            raise ValueError("nothing is undecided")

    def _over(self, tested: int) -> bool:
        """Whether sampling ends at the look that was the last one."""
        return (
            self.looked == len(self.table.looks)
            or self.passed == len(self.asked)
            or self._votes <= self.futile[self.looked - 1][self.passed]
            or self._holder not in (ABSTAIN, tested)
        )

    def decision(self) -> Decision:
        """What is certified so far."""
        drawn = self.drawn
        if self._two_hold:
            return Decision(ABSTAIN, 0.0, int(self.counts[self._holder]), drawn, 0, drawn)
        if self._holder == ABSTAIN:
            return Decision(ABSTAIN, 0.0, self._votes, drawn, 0, drawn)
        return Decision(self._holder, self.table.radius(self._best), *self._evidence, 0, drawn)
