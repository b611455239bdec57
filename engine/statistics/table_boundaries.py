"""Which radius a class's votes certify at which look: all radii at once, each at full alpha.

The table is a matter of integers: `needed[j, g]` votes at look j certify level g. It is computed
once for its settings and kept in the user's cache (table_cache.py), which is not trusted.

Why it holds
------------
Levels are radii r_0 = 0 < r_1 < ..., level g claiming p* > P_g = Phi(r_g / sigma) for the
probability p* that the ideal noise gives a class. Votes have the drawn noise's probability p,
|p - p*| <= tau, the sampler's total variation. So where claim g is false, p* <= P_g gives
p <= p_g := P_g + tau: the test of level g has the null p_g, and what it says of the drawn
probability it says of the ideal one.

Every class runs the tests on the same samples, and holds level g once its votes reach needed[j, g]
at a look j. needed ascends with g (a running maximum, which only raises it), so a class at level g
has reached every level below, perhaps at that same look. Let h(p) be the probability that a class
of probability p ever reaches level 0, and u_g(p) level g; both ascend with p. needed[:, 0] is
the boundary of p_0 at alpha/2, and convex_boundary keeps h convex on [0, p_0], with h(0) = 0:

* No class has p* > 1/2: every claim is false, every p <= p_0. At most one class has p > 1/2; then
  the others share less than 1/2, and by convexity reach level 0 with probability at most
  h(1/2): h(p_0) + h(1/2) <= alpha altogether. If no class has, convexity gives h(p) <= 2 p h(1/2),
  which sums to at most 2 h(1/2) <= alpha.
* Class A has p* > 1/2. Let g >= 1 be the first level with P_g >= p*: then p_A <= p_g, and any false
  claim for A has reached level g, of probability at most u_g(p_g). All other classes together have
  at most s_g := 1 - P_{g-1} + tau <= p_0, and reach level 0 with probability at most h(s_g)
  by convexity. Level g is the boundary of p_g at alpha - h(s_g), so the sum is at most alpha.

So P[any claim made at any look is false] <= alpha, whatever the number of classes and whatever
rule stops the sampling. alpha/2 at level 0 is the price of selecting on the samples that certify;
h(s_g) falls so fast with g that levels from about r = sigma/4 have all of alpha.
"""

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache, cached_property
from pathlib import Path

import numpy as np
from scipy import special

from smoothcert.engine.base.doing import doing
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.files import file_digest
from smoothcert.engine.base.machine import version_of
from smoothcert.engine.base.ranges import RADII, RADIUS
from smoothcert.engine.statistics import bounds, sequential
from smoothcert.engine.statistics.bounds import RADIUS_STEPS, WIDENING, whole_steps
from smoothcert.engine.statistics.sequential import (
    Floats,
    Ints,
    Spending,
    convex_boundary,
    crossing_probability,
    group_boundary,
)
from smoothcert.engine.statistics.table_cache import crossing, keep, kept

FINE_STEP = 0.01
"""Levels lie this far apart in radius / sigma, besides the radii asked for."""

# Once other classes reach level 0 this seldom, that bound serves all higher levels.
_RARE = 1e-6
# Levels of a cached table that are checked, beside 0 and those asked for: nobody knows which.
_SPOTS = 3


@dataclass(frozen=True, eq=False)
class BoundaryTable:
    """looks   ascending numbers of samples, K of them
    steps   int64 [G], ascending: the radius of each level in steps of 1e-6; steps[0] = 0
    needed  int64 [K, G], ascending along G: the votes that reach a level at a look (more than the
            look has samples where none do)
    """

    looks: tuple[int, ...]
    steps: Ints
    needed: Ints

    def level(self, look: int, count: int) -> int:
        """The highest level that `count` votes reach at look number `look`; -1 for none."""
        return int(np.searchsorted(self.needed[look], count, side="right")) - 1

    def radius(self, level: int) -> float:
        """The radius of a level in [0, 1]-pixel units."""
        return int(self.steps[level]) / RADIUS_STEPS

    @cached_property
    def digest(self) -> str:
        """SHA-256 over looks, levels and boundaries: tables that decide alike agree in it."""
        parts = (np.asarray(self.looks), self.steps, self.needed)
        content = b"".join(np.ascontiguousarray(part, "<i8").tobytes() for part in parts)
        return hashlib.sha256(content).hexdigest()


def radius_steps(radii: Sequence[float]) -> Ints:
    """Radii as ascending, distinct int64 multiples of 1e-6, rounded up.

    Raises InputError for no radii or too many, and for radii out of range.
    """
    if not len(radii):
        raise InputError("no radii are given: expected at least one, such as 0,0.25,0.5")
    RADII.check(len(radii), "number of radii")
    RADIUS.check_all(radii)
    # 0.1 * 3 is a float above 0.3, and means 0.3.
    return np.unique(np.ceil(np.asarray(radii, np.float64) * RADIUS_STEPS - 1e-3).astype(np.int64))


def boundary_table(
    sigma: float,
    asked: Ints,
    looks: tuple[int, ...],
    alpha: float,
    spending: Spending,
    total_variation: float = 0.0,
) -> BoundaryTable:
    """The table for the levels 0, every FINE_STEP * sigma that `looks` can reach, and `asked`
    (radius_steps), from the cache or computed (about a second up to 100,000 samples).

    What the cache holds is used only where it is by its digest what this code would compute, and
    where level 0, the levels asked for and some others keep alpha when that is computed anew (10 ms
    at 100,000 samples, 40 at a million); else the table is computed, and the entry replaced.
    """
    settings = {
        "sigma": sigma,
        "asked": asked.tolist(),
        "looks": looks,
        "alpha": alpha,
        "spending": asdict(spending),
        "total_variation": total_variation,
        "fine_step": FINE_STEP,
    }
    key = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()
    steps = _levels(sigma, asked, looks[-1], alpha)
    null, others = _nulls(sigma, steps, total_variation)
    levels = np.searchsorted(steps, asked)
    needed = kept(key, _code(), (len(looks), len(steps)))
    if needed is None or not _keeps_alpha(needed, levels, null, looks, alpha):
        with doing("planning table mode (kept in the cache)"):
            needed = _needed(null, others, looks, alpha, spending)
        keep(key, _code(), needed)
    return BoundaryTable(looks, steps, needed)


@cache
def _code() -> str:
    """Digest of the source that makes boundaries (the version, where no source is installed)."""
    try:
        return file_digest(Path(bounds.__file__), Path(sequential.__file__), Path(__file__))
    except InputError:
        return version_of("smoothcert") or ""


def _keeps_alpha(
    needed: Ints, asked: Ints, null: Floats, looks: tuple[int, ...], alpha: float
) -> bool:
    """Whether level 0, the levels `asked` and some drawn here keep their error probability."""
    drawn = np.random.default_rng().integers(len(null), size=_SPOTS)
    for g in np.unique([0, *asked, *drawn]).tolist():
        if null[g] <= 0.0:
            kept_here = bool(np.all(needed[:, g] > looks))
        else:
            allowed = alpha / 2 if g == 0 else alpha
            kept_here = crossing(float(null[g]), looks, needed[:, g]) <= allowed * (1.0 + 1e-6)
        if not kept_here:
            return False
    return True


def _levels(sigma: float, asked: Ints, n: int, alpha: float) -> Ints:
    highest = -special.ndtri(-math.expm1(math.log(alpha) / n))
    fine = np.arange(0, max(0, math.floor(highest / FINE_STEP)) + 1) * FINE_STEP
    fine_steps = whole_steps(fine * sigma).astype(np.int64)
    return np.union1d(fine_steps, asked)


def _nulls(sigma: float, steps: Ints, total_variation: float) -> tuple[Floats, Floats]:
    """1 - p_g and s_{g+1} of the proof; widening covers the error of ndtr and of r / sigma many
    times."""
    tail: Floats = special.ndtr(-steps / (sigma * RADIUS_STEPS))  # 1 - P_g
    return tail * (1.0 - WIDENING) - total_variation, tail * (1.0 + WIDENING) + total_variation


def _needed(
    null: Floats, others: Floats, looks: tuple[int, ...], alpha: float, spending: Spending
) -> Ints:
    """The proof's boundaries, in the order of the module's text."""
    shares = spending.cumulative(len(looks))
    convex = convex_boundary(1.0 - null[0], looks)
    columns = [group_boundary(null[0], looks, shares * (alpha / 2), convex)[0]]
    misled = alpha / 2
    for g in range(1, len(null)):
        if misled > _RARE * alpha:
            misled = min(misled, crossing_probability(1.0 - others[g - 1], looks, columns[0]))
        columns.append(group_boundary(null[g], looks, shares * (alpha - misled))[0])
    return np.maximum.accumulate(np.stack(columns, axis=1), axis=1)
