"""Confidence bounds on class probabilities, and the radii and claims that follow from them.

Everything is computed from the upper tail q = 1 - p, where certificates live: p = 1 - 1e-9 has
few digits left, q = 1e-9 has all of them. Bounds are widened by a relative 1e-7, which covers the
error of scipy's inverse (5e-9 at n = 1e9, measured against 50-digit arithmetic) and costs less
than 1.3e-7 in radius / sigma; radii are rounded down. All of this holds for alpha from LEAST_ALPHA
on; below, the functions here rest on are inexact, and one fails at 1e-300.
"""

import math
from typing import Any, overload

import numpy as np
import numpy.typing as npt
from scipy import special

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.input_spec import LEVELS
from smoothcert.engine.base.ranges import (
    ALPHA,
    FAMILY_WISE,
    RADIUS_SIGMA,
    SAMPLES,
    TOTAL_VARIATION,
)
from smoothcert.engine.base.wording import shown

ABSTAIN = -1
"""The prediction of a smoothed classifier that abstains."""

RADIUS_STEPS = 10**6
"""Radii are multiples of 1 / RADIUS_STEPS, rounded down."""

WIDENING = 1e-7
"""What every bound on an upper tail is widened by, relative to it (see above)."""

LEAST_ALPHA = ALPHA.low
"""Bounds and boundaries are checked from here on (see above); certificates at less are refused."""

_Array = npt.NDArray[Any]


def whole_steps(radius: npt.ArrayLike) -> _Array:
    """Radii in steps of 1 / RADIUS_STEPS, rounded down: float64."""
    return np.floor(np.asarray(radius, np.float64) * RADIUS_STEPS)


def round_down(radius: npt.ArrayLike) -> _Array:
    """The largest multiple of 1 / RADIUS_STEPS not above each radius: printing it in six decimals
    cannot raise it. float64."""
    return whole_steps(radius) / RADIUS_STEPS


def check_alpha(alpha: float, name: str = "alpha") -> float:
    """Return alpha; raises InputError unless LEAST_ALPHA <= alpha < 1."""
    return float(ALPHA.check(alpha, name))


def check_sigma(sigma: float) -> float:
    """Return sigma; raises InputError unless it is a positive number, at most 1e6."""
    return float(RADIUS_SIGMA.check(sigma))


def check_total_variation(total_variation: float) -> float:
    """Return it; raises InputError unless it is in [0, 1]: a negative one would add to what it is
    taken off."""
    return float(TOTAL_VARIATION.check(total_variation))


def family_wise_alpha(alpha: float, inputs: int) -> float:
    """alpha / inputs (Bonferroni): what each of `inputs` certificates may spend so that, with
    probability at least 1 - alpha, not one of them is wrong.

    Holds under any dependence between them. Raises InputError for alpha out of range, no inputs, or
    so many that less than LEAST_ALPHA is left to each.
    """
    FAMILY_WISE.check(inputs, "number of inputs")
    share = check_alpha(alpha) / inputs
    if share < LEAST_ALPHA:
        raise InputError(
            f"alpha {alpha} shared by {inputs} inputs leaves {share:g} to each: expected at "
            f"least {LEAST_ALPHA:g}; take a larger alpha or fewer inputs"
        )
    return share


def _check_counts(k: npt.ArrayLike, n: npt.ArrayLike) -> tuple[_Array, _Array]:
    successes, trials = np.broadcast_arrays(np.asarray(k), np.asarray(n))
    if not (np.issubdtype(successes.dtype, np.integer) and np.issubdtype(trials.dtype, np.integer)):
        raise InputError(
            f"counts {shown(k)} of {shown(n)} are not integers: expected integers 0 <= k <= n"
        )
    outside = np.any(trials < SAMPLES.low) or np.any(trials > SAMPLES.high)
    if outside or np.any(successes < 0) or np.any(successes > trials):
        raise InputError(
            f"counts {shown(k)} of {shown(n)} are out of range: expected 0 <= k <= n and "
            f"{SAMPLES.expected()}"
        )
    return successes.astype(np.float64), trials.astype(np.float64)


def failure_bound(k: npt.ArrayLike, n: npt.ArrayLike, alpha: float) -> _Array:
    """One-sided Clopper-Pearson upper bound on q = 1 - p after k successes in n trials.

    With probability at least 1 - alpha over k ~ Bin(n, p), the result is >= 1 - p. float64, in
    [0, 1], decreasing in k; accurate relative to q (Clopper and Pearson 1934). n up to 1e9.
    Raises InputError for alpha out of range (check_alpha) or counts that are no integers
    0 <= k <= n.
    """
    alpha = check_alpha(alpha)
    successes, trials = _check_counts(k, n)
    inner = np.clip(successes, 1.0, np.maximum(trials - 1.0, 1.0))
    bound = special.betainccinv(trials - inner + 1.0, inner, alpha)
    bound = np.where(successes == trials, _unanimous(trials, alpha), bound)
    bound = np.where(successes == 0.0, 1.0, bound)
    return np.minimum(bound * (1.0 + WIDENING), 1.0)


def _unanimous(n: npt.ArrayLike, alpha: float) -> _Array:
    """failure_bound after n successes in n trials, before it is widened."""
    return -np.expm1(math.log(alpha) / np.asarray(n, np.float64))


@overload
def lower_confidence_bound(k: int, n: int, alpha: float) -> float: ...
@overload
def lower_confidence_bound(k: npt.ArrayLike, n: npt.ArrayLike, alpha: float) -> _Array | float: ...
def lower_confidence_bound(k: npt.ArrayLike, n: npt.ArrayLike, alpha: float) -> _Array | float:
    """One-sided Clopper-Pearson lower bound on p after k successes in n trials.

    With probability at least 1 - alpha over k ~ Bin(n, p), the result is <= p. Scalars give a
    float, arrays (broadcast) float64 arrays; 0 at k = 0. Errors as failure_bound.
    """
    upper = failure_bound(k, n, alpha)
    successes, trials = _check_counts(k, n)
    # Below one half p itself is the small number to be accurate in.
    small = special.betaincinv(np.maximum(successes, 1.0), trials - successes + 1.0, alpha)
    small = np.where(successes == 0.0, 0.0, small * (1.0 - WIDENING))
    bound = np.where(upper < 0.5, np.nextafter(1.0 - upper, 0.0), np.minimum(small, 0.5))
    return bound if bound.ndim else float(bound)


@overload
def certified_radius(
    k: int, n: int, alpha: float, sigma: float, *, total_variation: float = 0.0
) -> float: ...
@overload
def certified_radius(
    k: npt.ArrayLike,
    n: npt.ArrayLike,
    alpha: float,
    sigma: float,
    *,
    total_variation: float = 0.0,
) -> _Array | float: ...
def certified_radius(
    k: npt.ArrayLike,
    n: npt.ArrayLike,
    alpha: float,
    sigma: float,
    *,
    total_variation: float = 0.0,
) -> _Array | float:
    """The L2 radius sigma * Phi^-1(p_lower) of Cohen, Rosenfeld, Kolter 2019, theorem 1.

    With probability at least 1 - alpha over the noise, the smoothed classifier's class does not
    change within this distance of x (in [0, 1]-pixel units). 0.0 where the bound on p is <= 1/2;
    else rounded down to a multiple of 1e-6. `total_variation`, the sampler's distance from the
    ideal Gaussian over a whole image (LatticeGaussian.total_variation), is taken off p first.
    Raises InputError for a sigma or total_variation out of range, and as failure_bound.
    """
    sigma = check_sigma(sigma)
    q = failure_bound(k, n, alpha) + check_total_variation(total_variation)
    z = -special.ndtri(np.minimum(q, 0.5))
    radius = np.where(q < 0.5, np.maximum(round_down(sigma * z), 0.0), 0.0)
    return radius if radius.ndim else float(radius)


def is_majority(k: int, n: int, alpha: float, *, total_variation: float = 0.0) -> bool:
    """Whether k successes in n prove p > 1/2 at level alpha: CERTIFY abstains where not.

    (The radius may still be rounded down to 0.0: the prediction at x itself is then certified.)
    """
    return bool(failure_bound(k, n, alpha) + check_total_variation(total_variation) < 0.5)


def smallest_useful_n(alpha: float, parts: int = 1) -> int:
    """The smallest n with which any certificate is possible: all n votes prove p > 1/2 at level
    alpha / parts."""
    level = check_alpha(alpha) / parts
    n = max(1, math.floor(-math.log2(level)))
    while _unanimous(n, level) * (1.0 + WIDENING) >= 0.5:
        n += 1
    return n


def covered_squared_distance(radius: float) -> int:
    """The integer claim: the largest S such that every 8-bit image u' with
    sum((u' - u)^2) <= S lies strictly inside `radius` of u.

    S = ceil((255 r)^2) - 1, computed exactly for a radius that is a multiple of 1e-6 (other radii
    are rounded down to one); 0 (the image itself) for a radius of 0.
    """
    # A radius parsed from six decimals sits within half a step of its multiple.
    steps = math.floor(radius * RADIUS_STEPS + 1e-3)
    return max(0, ((LEVELS * steps) ** 2 - 1) // RADIUS_STEPS**2)


def top_two_differ(first: int, second: int, alpha: float) -> bool:
    """PREDICT's two-sided exact binomial test at 1/2 of the two largest counts.

    True where the p-value of `first` out of first + second is <= alpha (Cohen et al. 2019,
    section 3.2.1, after Hung and Fithian 2019): then, with probability at least 1 - alpha, the
    class with `first` votes is the most probable one. Raises InputError for alpha out of range.
    """
    check_alpha(alpha)
    trials = first + second
    if trials == 0:
        return False
    larger = max(first, second)
    tail = special.betainc(larger, trials - larger + 1.0, 0.5) if larger else 1.0
    return bool(min(1.0, 2.0 * tail) * (1.0 + WIDENING) <= alpha)
