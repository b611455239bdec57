"""Paths without a choice: CERTIFY and PREDICT, which look once."""

from dataclasses import dataclass

import numpy as np

from smoothcert.engine.noise.streams import Purpose
from smoothcert.engine.statistics.bounds import ABSTAIN, top_two_differ
from smoothcert.engine.statistics.paths.base import Seen, expect, may_lead, within
from smoothcert.engine.statistics.procedures import Decision, FixedCertify, Predict, SampleRange


@dataclass(frozen=True)
class FixedPath:
    """Of FixedCertify."""

    procedure: FixedCertify

    def ranges(self, claim: Decision) -> list[SampleRange]:
        """See Path.ranges."""
        n0, n = self.procedure.n0, self.procedure.n
        expect("n0", claim.n0, n0)
        expect("n", claim.n, n)
        expect("drawn", claim.drawn, n0 + n)
        return [SampleRange(Purpose.SELECTION, 0, n0), SampleRange(Purpose.ESTIMATION, 0, n)]

    def objection(self, claim: Decision, label: int, seen: Seen) -> str | None:
        """See Path.objection."""
        n0, n = self.procedure.n0, self.procedure.n
        selected = np.flatnonzero(may_lead(*seen.bounds(Purpose.SELECTION, n0)))
        if claim.predict != ABSTAIN:
            if claim.predict not in selected:
                return f"class {claim.predict} is not selected by the first {n0} samples"
            selected = np.array([claim.predict])
        elif self.procedure.certifies(claim.count, n, claim.runner_up):
            return f"abstains, where {claim.count} of {n} certify a class"
        if any(seen.may_follow(Purpose.ESTIMATION, n, int(top), claim) for top in selected):
            return None
        against = "" if claim.runner_up is None else f" against {claim.runner_up}"
        return f"{claim.count} of {n}{against} are not the votes of the class that was selected"


@dataclass(frozen=True)
class PredictPath:
    """Of Predict."""

    procedure: Predict

    def ranges(self, claim: Decision) -> list[SampleRange]:
        """See Path.ranges."""
        n = self.procedure.n
        expect("n0", claim.n0, 0)
        expect("n", claim.n, n)
        expect("drawn", claim.drawn, n)
        return [SampleRange(Purpose.PREDICTION, 0, n)]

    def objection(self, claim: Decision, label: int, seen: Seen) -> str | None:
        """See Path.objection."""
        n, first = self.procedure.n, claim.count
        low, high = seen.bounds(Purpose.PREDICTION, n)
        if claim.predict == ABSTAIN:
            leaders = np.flatnonzero(may_lead(low, high))
        else:
            leaders = np.array([claim.predict])
        for leader in np.intersect1d(leaders, within(first, low, high)):
            others = np.arange(len(low)) != leader
            fewest, most = low[others].max(initial=0), high[others].max(initial=0)
            if fewest > first:
                continue  # another class leads
            second = fewest if claim.predict != ABSTAIN else min(most, first, n - first)
            differ = top_two_differ(first, int(second), self.procedure.level)
            if differ == (claim.predict != ABSTAIN):
                return None
        outcome = "abstain" if claim.predict == ABSTAIN else f"predict class {claim.predict}"
        return f"the votes do not {outcome} with {first} of {n} for the first class"
