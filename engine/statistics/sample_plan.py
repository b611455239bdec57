"""How many samples a radius is worth: plans n from a pilot's votes.

With a flat prior on z = Phi^-1(p), the radius / sigma that n fresh samples would certify has the
expectation E(n) given the pilot's votes. A plan is any function of the pilot: it decides what is
spent, never what is true (the bound holds whatever n was planned).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import special

from smoothcert.engine.statistics.bounds import failure_bound
from smoothcert.engine.statistics.sequential import Floats

_Z_STEP = 0.02
_LOWEST_Z = -0.5
# The prior ends well above what the most samples can certify: beyond, all z look the same.
_HEADROOM = 1.2
# An expected radius / sigma below this is not worth a sample.
_HOPELESS = 1e-3
_HALF_WIDTH = 5.5  # of the window of a binomial, in standard deviations
_POINTS = 40


def sample_sizes(n: int, least: int = 200) -> tuple[int, ...]:
    """Sizes a plan chooses from: least * sqrt(2)^i in multiples of 64, and n."""
    sizes = []
    size = float(least)
    while size <= 0.9 * n:
        sizes.append(max(64, round(size / 64) * 64))
        size *= 2**0.5
    return (*sizes, n)


@dataclass(frozen=True)
class SamplePlan:
    """Plans a size out of `sizes` (ascending) for certificates at level alpha."""

    sizes: tuple[int, ...]
    alpha: float

    @cached_property
    def _z(self) -> Floats:
        largest = self.sizes[-1]
        highest = float(-special.ndtri(failure_bound(largest, largest, self.alpha)))
        return np.arange(_LOWEST_Z, highest + _HEADROOM, _Z_STEP)

    @cached_property
    def _expected(self) -> Floats:
        """[size, z]: the expected certified radius / sigma."""
        return np.stack([over_counts(n, self._z, self.alpha, _radius)[0] for n in self.sizes])

    def expected(self, votes: int, runner_up: int, pilot: int) -> Floats:
        """float64 [sizes]: E(n) for each size, after `votes` of `pilot` samples for the class and
        `runner_up` for the largest other one (which proves nothing here)."""
        expected: Floats = self._expected @ posterior(self._z, votes, pilot)
        return expected

    def within_tolerance(self, votes: int, runner_up: int, pilot: int, tolerance: float) -> int:
        """The smallest size expected to certify 1 - tolerance of what the largest would; 0 where
        that is next to nothing."""
        expected = self.expected(votes, runner_up, pilot)
        if expected[-1] < _HOPELESS:
            return 0
        return self.sizes[int(np.argmax(expected >= (1.0 - tolerance) * expected[-1]))]

    def worth_its_price(self, votes: int, runner_up: int, pilot: int, price: float) -> int:
        """The size that maximises E(n) - price * n / 100,000; 0 where no size is worth it."""
        gain = self.expected(votes, runner_up, pilot) - price * np.asarray(self.sizes) / 1e5
        best = int(np.argmax(gain))
        return self.sizes[best] if gain[best] > 0.0 else 0


def posterior(z: Floats, votes: int, pilot: int) -> Floats:
    """The weights of z = Phi^-1(p), of a flat prior, after `votes` of `pilot` samples; they sum
    to 1."""
    log_likelihood = special.xlogy(votes, special.ndtr(z)) + special.xlogy(
        pilot - votes, special.ndtr(-z)
    )
    weights = np.exp(log_likelihood - log_likelihood.max())
    normed: Floats = weights / weights.sum()
    return normed


def _radius(bound: Floats) -> Floats:
    radius: Floats = np.maximum(0.0, -special.ndtri(np.minimum(bound, 0.5)))
    return radius


def over_counts(
    n: int, z: Floats, alpha: float, *values: Callable[[Floats], Floats]
) -> list[Floats]:
    """For each value E[value(Clopper-Pearson bound on 1 - p)] over counts of Bin(n, Phi(z)): of
    float64 like z."""
    q = special.ndtr(-z)[:, None]
    mean, deviation = n * q, np.sqrt(n * q * (1.0 - q))
    # Integer failures, thinned out evenly where there are many.
    low = np.maximum(0.0, np.floor(mean - _HALF_WIDTH * deviation - 2.0))
    high = np.minimum(n, np.ceil(mean + _HALF_WIDTH * deviation + 8.0))
    stride = np.maximum(1.0, np.floor((high - low) / _POINTS))
    failures = low + stride * np.arange(2 * _POINTS)
    inside = failures <= high
    failures = np.where(inside, failures, 0.0)
    weights = np.where(inside, np.exp(_log_binomial(n, failures, q)), 0.0)
    bound = failure_bound((n - failures).astype(np.int64), n, alpha)
    return [(weights * value(bound)).sum(axis=1) / weights.sum(axis=1) for value in values]


def _log_binomial(n: int, failures: Floats, q: Floats) -> Floats:
    log: Floats = (
        special.gammaln(n + 1.0)
        - special.gammaln(failures + 1.0)
        - special.gammaln(n - failures + 1.0)
        + special.xlogy(failures, q)
        + special.xlog1py(n - failures, -q)
    )
    return log
