"""The confidence sequences of Voracek 2024 for robustness at given radii, as stopping thresholds.

V. Voracek, "Treatment of statistical estimation problems in randomized smoothing for adversarial
robustness", NeurIPS 2024. Both certify "p > p_g" when the sequence's lower end passes p_g and give
it up when the upper end falls below, spending alpha/2 on either side. The class under test is
known to them beforehand.
"""

import math

import numba
import numpy as np
import numpy.typing as npt
from scipy import stats

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@numba.njit(cache=True)
def _betting(n: int, p: float, log_threshold: float) -> Ints:
    """Fewest votes k >= m p after m = 0, 1, .., n samples with which the bettor of Krichevsky and
    Trofimov has a wealth of the threshold: Beta(k + 1/2, m - k + 1/2) / Beta(1/2, 1/2)
    / (p^k (1 - p)^(m - k))."""
    needed = np.empty(n + 1, np.int64)
    k = 0
    for m in range(n + 1):
        k = max(k, math.ceil(m * p))
        while k <= m:
            wealth = (
                math.lgamma(k + 0.5)
                + math.lgamma(m - k + 0.5)
                - math.lgamma(m + 1.0)
                - math.log(math.pi)
                - k * math.log(p)
                - (m - k) * math.log1p(-p)
            )
            if wealth >= log_threshold:
                break
            k += 1
        needed[m] = k
        k = max(0, k - 1)
    return needed


def betting(n: int, p: float, alpha: float) -> tuple[Ints, Ints]:
    """(votes that certify p, votes that give it up) after 0 .. n samples, int64 [n + 1]."""
    log_threshold = math.log(2.0 / alpha)
    samples = np.arange(n + 1)
    return _betting(n, p, log_threshold), samples - _betting(n, 1.0 - p, log_threshold)


def union_bound(n: int, p: float, alpha: float) -> tuple[Ints, Ints]:
    """As betting: exact binomial tests at 1.1^t samples, the t-th at 5 (alpha/2) / ((t+4)(t+5))."""
    samples = np.arange(n + 1)
    certify, give_up = samples + 1, np.full(n + 1, -1)
    looks = np.unique(np.ceil(1.1 ** np.arange(12, math.log(n) / math.log(1.1))).astype(np.int64))
    t = np.arange(1, len(looks) + 1)
    level = 5.0 * (alpha / 2) / ((t + 4) * (t + 5))
    certify[looks] = stats.binom.isf(level, looks, p) + 1
    give_up[looks] = looks - (stats.binom.isf(level, looks, 1.0 - p) + 1)
    return certify, give_up


@numba.njit(cache=True)
def replay(certify: Ints, give_up: Ints, p: Floats, seed: int) -> tuple[Ints, Ints]:
    """Run the tests of ascending levels one after the other on each input's votes.

    certify, give_up: int64 [levels, n + 1]; p: float64 [inputs]. Returns int64 [inputs]: levels
    certified, samples used.
    """
    np.random.seed(seed)  # noqa: NPY002 - numba's generator inside a compiled loop
    passed = np.zeros(len(p), np.int64)
    used = np.zeros(len(p), np.int64)
    levels, length = certify.shape
    for i in range(len(p)):
        votes = 0
        level = 0
        for m in range(1, length):
            votes += np.random.random() < p[i]  # noqa: NPY002
            while level < levels and votes >= certify[level, m]:
                level += 1
            if level == levels or votes <= give_up[level, m]:
                break
        passed[i] = level
        used[i] = m
    return passed, used
