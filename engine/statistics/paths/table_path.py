"""Paths of table mode: look after look, what may be held, and whether sampling may go on."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.noise.streams import Purpose
from smoothcert.engine.statistics.bounds import ABSTAIN
from smoothcert.engine.statistics.paths.base import Seen, expect, may_lead
from smoothcert.engine.statistics.procedures import Counts, Decision, SampleRange
from smoothcert.engine.statistics.sequential import Ints
from smoothcert.engine.statistics.table import TableCertify
from smoothcert.engine.statistics.table_state import hoped_for

_NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True)
class _Look:
    """Look number j after n samples, with bounds on each class's votes; int64 [K]."""

    j: int
    n: int
    low: Counts
    high: Counts


@dataclass(frozen=True)
class _Open:
    """What may be the case after a look at which sampling goes on.

    free  whether no class holds a level
    held  bool [G]: the class that is followed may hold this one, and no other class any
    """

    free: bool
    held: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class TablePath:
    """Of TableCertify."""

    procedure: TableCertify

    def ranges(self, claim: Decision) -> list[SampleRange]:
        """See Path.ranges."""
        expect("n0", claim.n0, 0)
        if claim.undecided and claim.drawn == 0:
            return []
        looks = self.procedure.table.looks
        for name, look in (("n", claim.n), ("drawn", claim.drawn)):
            if look not in looks:
                raise InputError(f"{name} {look} is not one of the looks {looks}")
        if claim.predict == ABSTAIN:
            expect("n", claim.n, claim.drawn)
        ends = looks[: looks.index(claim.drawn) + 1]
        starts = (0, *ends)
        return [
            SampleRange(Purpose.ESTIMATION, first, end - first)
            for first, end in zip(starts, ends, strict=False)
        ]

    def objection(self, claim: Decision, label: int, seen: Seen) -> str | None:
        """See Path.objection."""
        looks = [
            _Look(j, n, *seen.bounds(Purpose.ESTIMATION, n))
            for j, n in enumerate(self.procedure.table.looks)
            if n <= claim.drawn
        ]
        if claim.undecided and not looks:
            return self._against_undecided(claim, -1, 0, self.procedure.table.looks[0])
        if claim.undecided and looks[-1].j == len(self.procedure.table.looks) - 1:
            return f"{claim.undecided} radii are undecided after the last look"
        if claim.predict != ABSTAIN:
            return self._against_certificate(claim, label, looks)
        if claim.undecided:
            return self._against_going_on(claim, label, looks)
        if self._ends_without_holder(claim, label, looks):
            return None
        if self._ends_with_two_holders(claim, label, looks, seen.counts is None):
            return None
        return f"the votes at the looks do not end, with no class, at {claim.count} of {claim.n}"

    def _against_certificate(self, claim: Decision, label: int, looks: list[_Look]) -> str | None:
        table, predict = self.procedure.table, claim.predict
        at = table.looks.index(claim.n)
        level = table.level(at, claim.count)
        if level < 0:
            return f"{claim.count} of {claim.n} certify no class"
        state = self._follow(looks[:at], predict, label, level)
        if not (state.free or state.held.any()):
            return f"sampling ends before look {claim.n}, or holds a larger radius there"
        look = looks[at]
        others = np.arange(len(look.low)) != predict
        if not (
            look.low[predict] <= claim.count <= look.high[predict]
            and np.all(look.low[others] <= look.n - claim.count)
        ):
            return f"{claim.count} of {claim.n} are not the votes for class {predict}"
        wanted = self._own(predict, label)
        if claim.n == claim.drawn:
            if claim.undecided and wanted:
                return self._against_undecided(claim, level, at, claim.count)
            if self._may_stop(look, level, claim.count) or not wanted:
                return "sampling ends there" if claim.undecided else None
            return f"sampling goes on after look {claim.n}"
        if not wanted or claim.count <= self._enough[at, level + 1]:
            return f"sampling ends at look {claim.n}"
        for after in looks[at + 1 :]:
            low, high = int(after.low[predict]), int(after.high[predict])
            high = min(high, int(self._most[after.j, level + 1]))
            if low > high or not self._calm(after, predict):
                return f"look {after.n} gives another class or radius"
            if after.n < claim.drawn:
                if high <= self._enough[after.j, level + 1]:
                    return f"sampling ends at look {after.n}"
            elif claim.undecided:
                return self._against_undecided(claim, level, after.j, high, low)
            elif not self._may_stop(after, level, low):
                return f"sampling goes on after look {after.n}"
        return None

    def _against_going_on(self, claim: Decision, label: int, looks: list[_Look]) -> str | None:
        """Of a claim of no class, with radii undecided."""
        last = looks[-1]
        free = all(self._stays_free(look, label) for look in looks)
        if not free or claim.count > self._most[last.j, 0] or not self._tests(claim, label, last):
            return f"sampling does not go on, with no class, from {claim.count} of {claim.n}"
        return self._against_undecided(claim, -1, last.j, claim.count)

    def _against_undecided(
        self, claim: Decision, level: int, j: int, votes: int, least: int | None = None
    ) -> str | None:
        """Of the radii that a claim leaves undecided, with `votes` at look j (or from `least` on)
        for the class that sampling goes on for."""
        passed = int(np.searchsorted(self.procedure.asked, level, side="right"))
        fewest, most = (
            hoped_for(self.procedure.futile[j], each) - passed
            for each in (votes if least is None else least, votes)
        )
        if max(fewest, 1) <= (claim.undecided or 0) <= most:
            return None
        return f"{claim.undecided} radii are undecided, where the votes leave {most} so"

    def _tests(self, claim: Decision, label: int, last: _Look) -> bool:
        """Whether the claim's count may be that of the class that is tested, without a holder."""
        if self.procedure.label_aware:
            low, high = self._of_label(last, label)
            return low <= claim.count <= high
        leads = may_lead(last.low, last.high) & (last.low <= claim.count)
        return bool(np.any(leads & (claim.count <= last.high)) and np.all(last.low <= claim.count))

    def _ends_without_holder(self, claim: Decision, label: int, looks: list[_Look]) -> bool:
        if not all(self._stays_free(look, label) for look in looks[:-1]):
            return False
        last = looks[-1]
        none = int(self._most[last.j, 0])
        if np.any(last.low > none) or claim.count > none:
            return False
        return self._may_stop(last, -1, claim.count) and self._tests(claim, label, last)

    def _ends_with_two_holders(
        self, claim: Decision, label: int, looks: list[_Look], alike: bool
    ) -> bool:
        """Whether another class may reach a level at the last look. `alike`: nothing is known of
        the classes, so one stands for all."""
        last = looks[-1]
        least = int(self.procedure.table.needed[last.j, 0])
        if len(looks) == 1 or claim.count > last.n - least:
            return False
        crossing = np.flatnonzero(last.high >= least)
        holders = np.flatnonzero((last.low <= claim.count) & (claim.count <= last.high))
        if self.procedure.label_aware:
            holders = holders[holders == label]
        for holder in map(int, holders[:1] if alike else holders):
            if not np.any(crossing != holder):
                continue
            if self._follow(looks[:-1], holder, label, len(self._levels)).held.any():
                return True
        return False

    def _follow(self, looks: list[_Look], holder: int, label: int, below: int) -> _Open:
        """What may be the case after looks at which sampling went on and no class but `holder`
        reached a level, nor `holder` one from `below` on."""
        state = _Open(True, np.zeros(len(self._levels), np.bool_))
        for look in looks:
            low, high = int(look.low[holder]), int(look.high[holder])
            held = np.zeros_like(state.held)
            if self._own(holder, label) and self._calm(look, holder):
                # At most this many votes keep a level, and so many are needed to go on with it.
                most = np.minimum(high, self._most[look.j, 1:])
                least = np.maximum(low, self._enough[look.j, 1:] + 1)
                stays = state.held & (least <= most)
                needed = self.procedure.table.needed[look.j]
                lower = np.concatenate(([False], np.logical_or.accumulate(state.held)[:-1]))
                rises = (state.free | lower) & (np.maximum(least, needed) <= most)
                held = (stays | rises) & (self._levels < below)
            state = _Open(state.free and self._stays_free(look, label), held)
        return state

    def _stays_free(self, look: _Look, label: int) -> bool:
        """Whether no class may reach a level at a look, and sampling go on."""
        none = int(self._most[look.j, 0])
        if np.any(look.low > none):
            return False
        high = int(look.high.max())
        if self.procedure.label_aware:
            high = self._of_label(look, label)[1]
        return min(high, none) > int(self._enough[look.j, 0])

    def _may_stop(self, look: _Look, level: int, votes: int) -> bool:
        """Whether sampling ends at a look with this level held, and these votes for the class that
        is tested."""
        last = look.j == len(self.procedure.table.looks) - 1
        return last or votes <= int(self._enough[look.j, level + 1])

    def _own(self, holder: int, label: int) -> bool:
        """Whether sampling goes on for the sake of this class."""
        return not self.procedure.label_aware or holder == label

    def _calm(self, look: _Look, holder: int) -> bool:
        """Whether no class but the holder need have reached a level."""
        others = np.arange(len(look.low)) != holder
        return bool(np.all(look.low[others] <= self._most[look.j, 0]))

    @staticmethod
    def _of_label(look: _Look, label: int) -> tuple[int, int]:
        if not 0 <= label < len(look.low):
            return 0, 0
        return int(look.low[label]), int(look.high[label])

    @cached_property
    def _levels(self) -> Ints:
        return np.arange(len(self.procedure.table.steps))

    @cached_property
    def _most(self) -> Ints:
        """int64 [look, level + 1]: the most votes that reach no higher level."""
        looks = np.asarray(self.procedure.table.looks)[:, None]
        most: Ints = np.minimum(
            np.concatenate((self.procedure.table.needed - 1, looks), axis=1), looks
        )
        return most

    @cached_property
    def _enough(self) -> Ints:
        """int64 [look, level + 1]: with no more votes than these, nothing more is hoped for once
        the level is held."""
        asked, looks = self.procedure.asked, len(self.procedure.table.looks)
        passed = np.searchsorted(asked, np.arange(-1, len(self._levels)), side="right")
        futile = np.asarray(self.procedure.futile).reshape(looks, len(asked))
        everything = np.full((looks, 1), _NEVER - 1)  # one more must not overflow
        found: Ints = np.concatenate((futile, everything), axis=1)[:, passed]
        return found
