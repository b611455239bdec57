"""A trial's path, told from its end: the samples it was sent, and what their counts must have been.

A log keeps the end of each trial alone. Who audits it on another machine, where rounding turns a
few votes, cannot compare that end with one of his own: for one vote a trial goes on to another
look, or stops. But he can count the votes at the logged looks himself, and ask whether any counts
that near to them lead to the logged end, look by look. With nothing counted the same question
finds ends that no counts lead to.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.noise.streams import Purpose
from smoothcert.engine.statistics.procedures import Counts, Decision, SampleRange


@dataclass(frozen=True)
class Seen:
    """What is known of the votes for one image.

    classes    K
    counts     int64 [K or more] of the first n samples of a purpose, by (purpose, n); None where
               nothing is known
    tolerance  of n samples, by how many votes each count may differ from the trial's
    """

    classes: int
    counts: Mapping[tuple[Purpose, int], Counts] | None = None
    tolerance: Callable[[int], int] = lambda n: 0

    def bounds(self, purpose: Purpose, n: int) -> tuple[Counts, Counts]:
        """The fewest and the most votes of each class among the first n samples; int64 [K]."""
        if self.counts is None:
            return np.zeros(self.classes, np.int64), np.full(self.classes, n)
        found = self.counts[purpose, n][: self.classes]
        allowed = self.tolerance(n)
        return np.maximum(found - allowed, 0), np.minimum(found + allowed, n)

    def may_follow(self, purpose: Purpose, n: int, top: int, claim: Decision) -> bool:
        """Whether, of the first n samples, the claim's count may be the votes of class `top`, and
        its runner_up, where it has one, the most of any other class."""
        low, high = self.bounds(purpose, n)
        if not low[top] <= claim.count <= high[top]:
            return False
        if claim.runner_up is None:
            return True
        low, high = np.delete(low, top), np.delete(high, top)
        # One of the others has as many, and all of them together no more than are left.
        able = low[high >= claim.runner_up]
        left = n - claim.count - claim.runner_up
        if not len(low):
            return claim.runner_up == 0
        return bool(len(able) and low.max() <= claim.runner_up and low.sum() - able.max() <= left)

    def losses(self, n: int, predict: int) -> tuple[int, int]:
        """The fewest and the most losses of a class among n paired samples (transfer.py)."""
        if self.counts is None:
            return 0, n
        found = int(self.counts[Purpose.DISAGREEMENT, n][self.classes + predict])
        allowed = self.tolerance(n)
        return max(found - allowed, 0), min(found + allowed, n)


class Path(Protocol):
    """The paths of a procedure's trials."""

    def ranges(self, claim: Decision) -> list[SampleRange]:
        """Ranges to draw, in order, that end at every look a trial may have had on its way to
        `claim`.

        Raises InputError where no trial ends after so many samples.
        """
        ...

    def objection(self, claim: Decision, label: int, seen: Seen) -> str | None:
        """Why no counts that `seen` allows lead to `claim`, of an image of this label; None where
        some may.

        `seen` knows the counts at the ends of `ranges`, or nothing.
        """
        ...


def may_lead(low: Counts, high: Counts) -> npt.NDArray[np.bool_]:
    """Which classes may have the most votes, given bounds on each count: bool [K]. Of equal counts
    the first class has the most."""
    before = np.concatenate(([-1], np.maximum.accumulate(low)[:-1]))
    after = np.concatenate((np.maximum.accumulate(low[::-1])[::-1][1:], [-1]))
    leads: npt.NDArray[np.bool_] = (high > before) & (high >= after)
    return leads


def expect(name: str, found: int, expected: int) -> None:
    """Raise InputError unless a decision's number is the one that its trial has."""
    if found != expected:
        raise InputError(f"{name} is {found}: expected {expected}")


def within(votes: int, low: Counts, high: Counts) -> npt.NDArray[np.intp]:
    """The classes that may have exactly so many votes."""
    return np.flatnonzero((low <= votes) & (votes <= high))
