"""Paths of radius mode: the pilot plans a size, and a hopeless majority is given up on the way."""

from dataclasses import dataclass

import numpy as np

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.noise.streams import Purpose
from smoothcert.engine.statistics.bounds import ABSTAIN
from smoothcert.engine.statistics.class_bounds import OneSided
from smoothcert.engine.statistics.paths.base import Seen, expect, may_lead
from smoothcert.engine.statistics.procedures import Decision, SampleRange
from smoothcert.engine.statistics.radius import RadiusCertify


@dataclass(frozen=True)
class RadiusPath:
    """Of RadiusCertify."""

    procedure: RadiusCertify

    def ranges(self, claim: Decision) -> list[SampleRange]:
        """See Path.ranges."""
        pilot = self.procedure.pilot
        expect("n0", claim.n0, pilot)
        expect("drawn", claim.drawn, pilot + claim.n)
        found = [SampleRange(Purpose.PILOT, 0, pilot)]
        first = 0
        for look in self._looks(claim):
            found.append(SampleRange(Purpose.ESTIMATION, first, look - first))
            first = look
        return found

    def _looks(self, claim: Decision) -> list[int]:
        """Looks up to the last one, of all sizes that have it."""
        if claim.predict == ABSTAIN and claim.n == 0:
            return []
        sizes = [size for size in self.procedure.plan.sizes if self._ends_at(claim, size)]
        if not sizes:
            raise InputError(f"n {claim.n} is no number of samples after which a trial ends")
        looks = {look for size in sizes for look in self.procedure.looks(size)}
        return sorted(look for look in looks if look <= claim.n)

    def _ends_at(self, claim: Decision, size: int) -> bool:
        if claim.predict != ABSTAIN:
            return claim.n == size
        return claim.n in self.procedure.looks(size)

    def objection(self, claim: Decision, label: int, seen: Seen) -> str | None:
        """See Path.objection."""
        low, high = seen.bounds(Purpose.PILOT, self.procedure.pilot)
        selected = np.flatnonzero(may_lead(low, high))
        if claim.predict != ABSTAIN:
            if claim.predict not in selected:
                return f"class {claim.predict} is not selected by the pilot"
            selected = np.array([claim.predict])
        if seen.counts is None and claim.predict == ABSTAIN:
            # With nothing known all classes are alike, but for the label.
            selected = np.unique([min(max(label, 0), len(low) - 1), 0 if label else len(low) - 1])
        planned: set[int] = set()
        for top in map(int, selected):
            given_up = self.procedure.label_aware and top != label
            sizes = {0} if given_up else self._planned(top, seen)
            if any(self._leads(claim, top, size, seen) for size in sizes):
                return None
            planned |= sizes
        return (
            f"the pilot plans {' or '.join(map(str, sorted(planned)))} samples, and they do not "
            f"end with {claim.count} of {claim.n}"
        )

    def _planned(self, top: int, seen: Seen) -> set[int]:
        """The sizes that a pilot within bounds may plan, where `top` leads."""
        procedure = self.procedure
        low, high = seen.bounds(Purpose.PILOT, procedure.pilot)
        others = np.arange(len(low)) != top
        fewest, most = int(low[others].max(initial=0)), int(high[others].max(initial=0))
        votes = range(max(int(low[top]), fewest), int(high[top]) + 1)
        if procedure.bound == OneSided.NAME:
            return {procedure.planned(each) for each in votes}
        if seen.counts is None:
            return {0, *procedure.plan.sizes}  # nearly all of which some pair of votes plans
        return {
            procedure.planned(each, runner_up)
            for each in votes
            for runner_up in range(fewest, min(most, each, procedure.pilot - each) + 1)
        }

    def _leads(self, claim: Decision, top: int, size: int, seen: Seen) -> bool:
        """Whether fresh samples of this size may end so, look by look."""
        if size == 0:
            return claim.predict == ABSTAIN and not (claim.n or claim.count or claim.runner_up)
        if claim.n == 0 or not self._ends_at(claim, size):
            return False
        for look in self.procedure.looks(size):
            if look == claim.n:
                up = self.procedure.gives_up(size, look, claim.count, claim.runner_up)
                ends = seen.may_follow(Purpose.ESTIMATION, look, top, claim)
                return ends and up == (claim.predict == ABSTAIN)
            if self.procedure.gives_up(size, look, *self._best(look, top, seen)):
                return False
        return False

    def _best(self, look: int, top: int, seen: Seen) -> tuple[int, int | None]:
        """The votes of `top` and of the runner-up at a look with which it is given up least."""
        low, high = seen.bounds(Purpose.ESTIMATION, look)
        return int(high[top]), self.procedure.class_bound.runner_up(low, top)
