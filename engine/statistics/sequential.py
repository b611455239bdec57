"""Exact group-sequential boundaries for a binomial count, by dynamic programming.

A count is looked at after n_1 < ... < n_K samples. The boundary of a null probability p0 says how
many votes are needed at each look, so that a class of probability p <= p0 ever has them with
probability at most alpha. Everything is computed in failures (n - count), of probability
q0 = 1 - p0, because certificates live where q0 is small.

All terms are non-negative, so relative rounding errors only add up: over all looks to less than
2e-10, up to TABLE_SAMPLES. Boundaries spend at most 1 - 1e-9 of what is allowed, which covers
that. Whatever the windows of the recursion leave out is counted as spent.

A certificate can only be wrong if it is given. Stopping early without it, by whatever rule, leaves
every procedure's guarantee as it is, so the bounds on futile counts cost no alpha: only, rarely, a
certificate.
"""

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
from scipy import special

from smoothcert.engine.base.compiling import compiled

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

# A state or increment of less probability than this is left out, and charged.
_NEGLIGIBLE = 1e-17
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Spending:
    """How a test spreads its error probability over its looks.

    The part `first` is available at once, `equal` in equal shares per look, `last` at the last
    look. Counts are discrete: what a look cannot use stays available, and what the last look cannot
    use is given to the others beforehand. The parts sum to 1.
    """

    first: float
    equal: float
    last: float

    def cumulative(self, looks: int) -> Floats:
        """float64 [looks]: the part of alpha that may be spent up to each look; ends with 1."""
        shares = self.first + self.equal * np.arange(1, looks + 1) / looks
        shares[-1] = 1.0
        return shares


def looks_until(
    n: int, first: int = 512, ratio: float = 1.25, multiple: int = 64
) -> tuple[int, ...]:
    """Looks at first * ratio^i, rounded to multiples of `multiple`, and at n.

    Multiples keep device batches full. A look within a tenth of n is left out: n follows.
    """
    looks = []
    look = float(first)
    while look <= 0.9 * n:
        looks.append(round(look / multiple) * multiple)
        look *= ratio
    return (*dict.fromkeys(looks), n)


@compiled()
def _binomial(n: int, q: float) -> tuple[int, Floats, float]:
    """The window of Bin(n, q) around its mode: its first value, its probabilities (relative error
    below 1e-12, never too small by more than that) and an upper bound on the mass outside."""
    p = 1.0 - q
    mode = min(n, int((n + 1) * q))
    up = [1.0]
    m = mode
    while m < n:
        term = up[-1] * ((n - m) / (m + 1.0)) * (q / p)
        if term < _NEGLIGIBLE:
            break
        up.append(term)
        m += 1
    lost = 0.0
    if m < n:  # a geometric series bounds the tail: ratios fall away from the mode
        ratio = ((n - m) / (m + 1.0)) * (q / p)
        lost += up[-1] * ratio / (1.0 - ratio)
    down = [0.0]
    m = mode
    term = 1.0
    while m > 0:
        term *= (m / (n - m + 1.0)) * (p / q)
        if term < _NEGLIGIBLE:
            break
        down.append(term)
        m -= 1
    if m > 0:
        ratio = (m / (n - m + 1.0)) * (p / q)
        lost += (down[-1] if m < mode else 1.0) * ratio / (1.0 - ratio)
    below = len(down) - 1
    window = np.empty(below + len(up))
    for i in range(below):
        window[i] = down[below - i]
    for i in range(len(up)):
        window[below + i] = up[i]
    total = window.sum()
    return mode - below, window / total, lost / total


@compiled()
def _spend(looks: Ints, q: float, allowed: Floats, most_failures: Ints) -> tuple[Ints, Floats]:
    """The recursion: the most failures with which each look crosses (-1: none), at most
    most_failures, and the probability spent up to each."""
    crossing = np.full(len(looks), -1, np.int64)
    spent_until = np.zeros(len(looks))
    state = np.ones(1)
    low = 0
    spent = 0.0
    previous = 0
    for j in range(len(looks)):
        first, window, lost = _binomial(looks[j] - previous, q)
        previous = looks[j]
        spent += lost
        low += first
        after = np.zeros(len(state) + len(window) - 1)
        for i in range(len(state)):
            for k in range(len(window)):
                after[i + k] += state[i] * window[k]
        start = 0
        while (
            start < len(after)
            and low + start <= most_failures[j]
            and spent + after[start] <= allowed[j]
        ):
            spent += after[start]
            start += 1
        # Fewer failures than the state holds have crossed before, or been charged.
        crossing[j] = min(low + start - 1, most_failures[j])
        end = len(after)
        left_out = 0.0
        while end > start and left_out + after[end - 1] < _NEGLIGIBLE:
            left_out += after[end - 1]
            end -= 1
        while start < end and left_out + after[start] < _NEGLIGIBLE:
            left_out += after[start]
            start += 1
        spent += left_out
        spent_until[j:] = spent
        if start == end:
            break
        state = after[start:end].copy()
        low += start
    return crossing, spent_until


def group_boundary(
    q: float, looks: Sequence[int], allowed: Floats, at_least: Ints | None = None
) -> tuple[Ints, float]:
    """The votes needed at each look to reject "the class has probability <= 1 - q".

    looks     ascending numbers of samples
    allowed   float64, ascending: error probability to spend up to each look (Spending.cumulative)
    at_least  int64: look j never needs fewer votes than at_least[j]

    Returns int64 votes (looks[j] + 1 where no count suffices) and the error probability: for
    every p <= 1 - q, P[the count of a class of probability p reaches the boundary at any look] is
    at most that, which is at most allowed[-1]. (p = 1 - q is the worst: counts of a smaller p can
    be coupled to lie below.) q <= 0 cannot be rejected.
    """
    samples = np.asarray(looks, np.int64)
    if q <= 0.0:
        return samples + 1, 0.0
    most_failures = samples if at_least is None else samples - at_least
    allowed = allowed * (1.0 - _ROUNDING)
    _, spent = _spend(samples, q, allowed, most_failures)
    # What the last look could not use goes to the others: they spend no more than that on top of
    # what they did, so the last look keeps its boundary.
    allowed[:-1] = spent[:-1] + max(0.0, allowed[-1] - spent[-1])
    failures, spent = _spend(samples, q, allowed, most_failures)
    needed = np.where(failures < 0, samples + 1, samples - failures)
    return needed, float(spent[-1] * (1.0 + _ROUNDING))


def crossing_probability(q: float, looks: Sequence[int], needed: Ints) -> float:
    """P[a class of probability 1 - q has needed[j] votes at some look j], rounded up.

    Relative error below 1e-8, plus at most 1e-16 per look. 0 < q < 1.
    """
    samples = np.asarray(looks, np.int64)
    _, spent = _spend(samples, q, np.full(len(samples), np.inf), samples - needed)
    return float(spent[-1] * (1.0 + _ROUNDING))


def convex_boundary(p: float, looks: Sequence[int]) -> Ints:
    """The fewest votes, int64 per look, with which boundaries are majorities and their crossing
    probability is convex in the class's probability on [0, p]. Expects p >= 1/2.

    A crossing probability is a sum, over first-crossing points (n, k), of a number of paths times
    p^k (1 - p)^(n - k). Such a term is convex below the smaller root of its second derivative,
    k/n - sqrt(k (n - k) / (n - 1)) / n, which increases with k >= n/2.
    """

    def fewest(n: int) -> int:
        counts = range(n // 2 + 1, n + 1)
        return counts[bisect_left(counts, p * (1.0 + 1e-12), key=partial(inflection, n))]

    return np.array([fewest(n) for n in looks], np.int64)


def inflection(n: int, k: int) -> float:
    """The smaller inflection point of p^k (1 - p)^(n - k), for k > n/2."""
    return k / n - math.sqrt(k * (n - k) / max(n - 1, 1)) / n


def even_odds(needed: npt.ArrayLike, n: int) -> Floats:
    """The 1 - p at which Bin(n, p) reaches `needed` votes with probability 1/2; float64.

    0.0 where needed > n: no p does. 1 <= needed.
    """
    votes = np.asarray(needed, np.float64)
    within = np.minimum(votes, n)
    return np.where(votes <= n, special.betaincinv(n - within + 1.0, within, 0.5), 0.0)


def futile_counts(looks: Sequence[int], q: Floats, beta: float) -> Ints:
    """int64 [K, A]: the most votes x with P[Bin(looks[j], 1 - q[a]) <= x] < beta; -1 for none.

    A class of probability at least 1 - q[a] has so few votes at look j less often than beta.
    Where q is 0, everything is futile: x is looks[j].
    """
    samples = np.asarray(looks, np.float64)[:, None] + np.zeros(len(q))
    # Invariant: P[X <= low] < beta <= P[X <= high].
    low, high = np.full(samples.shape, -1.0), samples.copy()
    while np.any(high - low > 1.0):
        middle = np.clip(np.floor((low + high) / 2), 0.0, samples - 1.0)
        rare = special.betainc(samples - middle, middle + 1.0, q) < beta
        low = np.where(rare & (middle < high), middle, low)
        high = np.where(rare, high, middle)
    return np.where(q > 0.0, low, samples).astype(np.int64)
