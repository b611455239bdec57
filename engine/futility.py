"""When to give up: counts so low that going on would hardly ever certify more.

A certificate can only be wrong if it is given. Stopping early without it, by whatever rule, leaves
every procedure's guarantee as it is, so these bounds cost no alpha: only, rarely, a certificate.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import special

from smoothcert.engine.boundaries import Floats, Ints


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
