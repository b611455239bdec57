"""How many samples a radius from two bounds is worth (class_bounds.py): plans n from a pilot."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import special

from smoothcert.engine.statistics.sample_plan import SamplePlan, over_counts, posterior
from smoothcert.engine.statistics.sequential import Floats

# Classes may lead with few votes.
_LOWEST_Z, _Z_STEP, _HEADROOM = -4.0, 0.04, 1.2
_NEVER = 1.0 - 1e-9  # a bound that proves nothing has no finite score


@dataclass(frozen=True)
class TwoClassPlan(SamplePlan):
    """A SamplePlan whose alpha is that of the class's own bound.

    With X = Phi^-1(L) and Y = -Phi^-1(U), n samples certify max(0, (X + max(X, Y)) / 2) of sigma.
    Each score's mean and variance follow from the pilot's votes, with a flat prior, as E(n) of one
    bound does; X and Y are then taken to be normal and independent.
    """

    alpha_runner_up: float

    def expected(self, votes: int, runner_up: int, pilot: int) -> Floats:
        """See SamplePlan.expected."""
        mean, variance = self._scores(votes, pilot, runner_up=False)
        mean_other, variance_other = self._scores(pilot - runner_up, pilot, runner_up=True)
        further = mean_other > mean
        mean = np.where(further, (mean + mean_other) / 2, mean)
        variance = np.where(further, (variance + variance_other) / 4, variance)
        deviation = np.sqrt(np.maximum(variance, 1e-12))
        ratio = mean / deviation
        density = np.exp(-(ratio**2) / 2) / np.sqrt(2 * np.pi)
        expected: Floats = mean * special.ndtr(ratio) + deviation * density
        return expected

    def _scores(self, votes: int, pilot: int, *, runner_up: bool) -> tuple[Floats, Floats]:
        """Mean and variance of a score at each size, after `votes` that bear its bound out."""
        key = (votes, pilot, runner_up)
        if key not in self._known:
            first, second = self._moments_of_runner_up if runner_up else self._moments
            weights = posterior(self._scores_z, votes, pilot)
            mean = first @ weights
            self._known[key] = mean, second @ weights - mean**2
        return self._known[key]

    @cached_property
    def _known(self) -> dict[tuple[int, int, bool], tuple[Floats, Floats]]:
        return {}

    @cached_property
    def _scores_z(self) -> Floats:
        return np.arange(_LOWEST_Z, self._z[-1] + _HEADROOM, _Z_STEP)

    @cached_property
    def _moments(self) -> tuple[Floats, Floats]:
        return self._moments_at(self.alpha)

    @cached_property
    def _moments_of_runner_up(self) -> tuple[Floats, Floats]:
        return self._moments_at(self.alpha_runner_up)

    def _moments_at(self, alpha: float) -> tuple[Floats, Floats]:
        """[size, z] twice: the expected score of a bound at this level, and its square."""
        of_sizes = [
            over_counts(n, self._scores_z, alpha, _score, lambda bound: _score(bound) ** 2)
            for n in self.sizes
        ]
        first, second = zip(*of_sizes, strict=True)
        return np.stack(first), np.stack(second)


def _score(bound: Floats) -> Floats:
    score: Floats = -special.ndtri(np.minimum(bound, _NEVER))
    return score
