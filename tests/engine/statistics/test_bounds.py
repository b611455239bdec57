"""Bounds against 50-digit arithmetic, and their coverage by enumeration."""

import itertools
import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from scipy import stats

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.statistics.bounds import (
    ABSTAIN,
    LEAST_ALPHA,
    certified_radius,
    covered_squared_distance,
    failure_bound,
    family_wise_alpha,
    is_majority,
    lower_confidence_bound,
    smallest_useful_n,
    top_two_differ,
)


def binomial_tail(k: int, n: int, p: mpmath.mpf) -> mpmath.mpf:
    """P[Bin(n, p) >= k] by summing the few terms of the lower side of the failures."""
    q = 1 - p
    terms = n - k + 1
    assert terms < 5000
    term = p**n
    total = term
    for misses in range(1, terms):
        term = term * (n - misses + 1) / misses * q / p
        total += term
    return total


def beta_tail(k: int, n: int, p: mpmath.mpf) -> mpmath.mpf:
    """P[Bin(n, p) >= k] for any 0 < k < n and p < k / n, as a continued fraction (Numerical
    Recipes 6.4), which many terms are no obstacle to."""
    a, b = mpmath.mpf(k), mpmath.mpf(n - k + 1)
    numerators = (
        factor
        for m in itertools.count(1)
        for factor in (
            m * (b - m) * p / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * p / ((a + 2 * m) * (a + 2 * m + 1)),
        )
    )
    c, d = mpmath.mpf(1), 1 / (1 - (a + b) * p / (a + 1))
    value = d
    for numerator in numerators:
        c, d = 1 + numerator / c, 1 / (1 + numerator * d)
        value *= c * d
        if abs(c * d - 1) < mpmath.mpf("1e-40"):
            break
    log = mpmath.loggamma(a + b) - mpmath.loggamma(a + 1) - mpmath.loggamma(b)
    return value * mpmath.exp(log + a * mpmath.log(p) + b * mpmath.log(1 - p))


def test_the_two_references_agree() -> None:
    with mpmath.workdps(50):
        for k, n, p in ((3, 5, "0.3"), (60, 100, "0.5"), (999, 1000, "0.99"), (5, 1000, "0.001")):
            terms, fraction = (tail(k, n, mpmath.mpf(p)) for tail in (binomial_tail, beta_tail))
            assert abs(fraction / terms - 1) < mpmath.mpf("1e-30")


@pytest.mark.parametrize("n", [45, 1000, 10**5, 10**7, 10**9])
def test_bounds_hold_at_the_least_alpha(n: int) -> None:
    """Widened, over counts of every kind up to n = 1e9; tight, too: the widening is three times the
    largest error at least, and gives no more away."""
    failures = {1, 2, 5, 30, n // 100, n // 10, n // 3, n // 2 - 3 * math.isqrt(n), n - 40, n - 1}
    for k in sorted(n - m for m in failures if 0 < m < n):
        q = mpmath.mpf(float(failure_bound(k, n, LEAST_ALPHA)))
        p = mpmath.mpf(lower_confidence_bound(k, n, LEAST_ALPHA))
        with mpmath.workdps(50):
            if q < 1:
                assert beta_tail(k, n, 1 - q) <= LEAST_ALPHA
            if q < 0.5:
                assert beta_tail(k, n, 1 - q * (1 - mpmath.mpf("1.3e-7"))) > LEAST_ALPHA
            else:
                assert beta_tail(k, n, p) <= LEAST_ALPHA
                assert beta_tail(k, n, p * (1 + mpmath.mpf("1.3e-7"))) > LEAST_ALPHA or p == 0.5


@pytest.mark.parametrize("alpha", [LEAST_ALPHA, 0.001, 0.01, 0.3])
@pytest.mark.parametrize(
    ("k", "n"),
    [
        (10, 10),
        (9, 10),
        (99, 100),
        (60, 100),
        (100_000, 100_000),
        (99_999, 100_000),
        (99_000, 100_000),
        (10**9, 10**9),
        (10**9 - 1, 10**9),
        (10**9 - 1000, 10**9),
    ],
)
def test_lower_bound_is_below_the_exact_root_and_close(k: int, n: int, alpha: float) -> None:
    """At the bound, 50-digit arithmetic finds a tail <= alpha (valid), and just above it more."""
    q = float(failure_bound(k, n, alpha))
    with mpmath.workdps(50):
        assert binomial_tail(k, n, 1 - mpmath.mpf(q)) <= alpha
        assert binomial_tail(k, n, 1 - mpmath.mpf(q) * (1 - mpmath.mpf("3e-7"))) > alpha
    p = lower_confidence_bound(k, n, alpha)
    assert p < 1 - q or p < 1.0
    if q < 0.5:
        assert p == pytest.approx(1 - q, abs=1e-15)


@pytest.mark.parametrize("n", [1, 2, 5, 12, 25])
@pytest.mark.parametrize("alpha", [0.001, 0.05, 0.2])
def test_coverage_by_enumeration(n: int, alpha: float) -> None:
    """Over every outcome k, P[bound > p] <= alpha at each p of a fine grid, in exact fractions."""
    bounds = [Fraction(lower_confidence_bound(k, n, alpha)) for k in range(n + 1)]
    # The supremum over p is reached just below a bound: test there as well as on a grid.
    grid = [Fraction(i, 64) for i in range(65)] + [b - Fraction(1, 2**60) for b in bounds if b > 0]
    for p in grid:
        wrong = sum(
            math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n + 1) if bounds[k] > p
        )
        assert wrong <= Fraction(alpha)


def test_coverage_is_not_wasteful() -> None:
    """Just below a bound the error is within .001 % of alpha: the bound gives nothing away."""
    n, alpha = 25, 0.05
    bounds = [Fraction(lower_confidence_bound(k, n, alpha)) for k in range(n + 1)]
    p = bounds[20] * (1 + Fraction(3, 10**7))
    tail = sum(math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(20, n + 1))
    assert tail > Fraction(alpha)
    assert float(tail) == pytest.approx(alpha, rel=1e-5)


def test_arrays_broadcast_and_are_monotone_in_k() -> None:
    k = np.arange(0, 1001)
    bound = lower_confidence_bound(k, 1000, 0.001)
    assert isinstance(bound, np.ndarray)
    assert bound.shape == k.shape
    assert bound[0] == 0.0
    assert np.all(np.diff(bound) > 0)
    assert np.all(np.isfinite(bound))
    assert isinstance(lower_confidence_bound(5, 10, 0.001), float)
    radius = certified_radius(k, 1000, 0.001, 0.5)
    assert isinstance(radius, np.ndarray)
    assert np.all(np.diff(radius) >= 0)


@pytest.mark.parametrize("n", [2, 3, 10, 1000, 10**6])
@pytest.mark.parametrize("alpha", [LEAST_ALPHA, 0.001, 0.3])
def test_one_success_is_bounded_in_closed_form(n: int, alpha: float) -> None:
    """P[Bin(n, p) >= 1] = 1 - (1 - p)^n is alpha at the bound."""
    exact = math.exp(math.log1p(-alpha) / n)
    found = float(failure_bound(1, n, alpha))
    assert min(exact * (1 + 1e-9), 1.0) <= found <= exact * (1 + 1e-6)


def test_small_p_keeps_its_digits() -> None:
    bound = lower_confidence_bound(5, 10**9, 0.001)
    assert bound == pytest.approx(float(stats.gamma.ppf(0.001, 5)) / 1e9, rel=1e-6)


@pytest.mark.parametrize("n", [100, 1000, 100_000, 10_000_000])
def test_one_half_is_crossed_exactly_once(n: int) -> None:
    """p_lower > 1/2 exactly where q < 1/2: the two halves of the computation agree."""
    center = n // 2 + int(1.5 * math.sqrt(n))
    k = np.arange(center - min(200, n // 4), min(n, center + 200))
    lower = np.asarray(lower_confidence_bound(k, n, 0.001))
    majority = np.array([is_majority(int(i), n, 0.001) for i in k])
    assert np.array_equal(lower > 0.5, majority)
    assert majority.any()
    assert not majority.all()


def test_an_abstention_is_class_minus_one() -> None:
    """In the original's logs and in ours."""
    assert ABSTAIN == -1


def test_one_half_itself_is_no_majority() -> None:
    """However it comes about: here the noise's total variation makes it exactly that."""
    bound = float(failure_bound(90, 100, 0.001))
    left = 0.5 - bound
    assert bound + left == 0.5
    assert not is_majority(90, 100, 0.001, total_variation=left)
    assert is_majority(90, 100, 0.001, total_variation=left - 1e-9)


def test_critical_count_at_n_100000() -> None:
    """statistics.md 2.3: at n = 1e5, alpha = .001 the smallest certifying count is 50,490."""
    assert is_majority(50_490, 100_000, 0.001)
    assert not is_majority(50_489, 100_000, 0.001)


def test_radius_of_all_votes() -> None:
    """statistics.md 1: the largest z at n = 1e5 is 3.8115 at alpha = .001, 3.9105 at .01."""
    assert certified_radius(100_000, 100_000, 0.001, 1.0) == pytest.approx(3.8115, abs=5e-5)
    assert certified_radius(100_000, 100_000, 0.01, 1.0) == pytest.approx(3.9105, abs=5e-5)


def test_radius_is_rounded_down() -> None:
    with mpmath.workdps(50):
        for k in (600, 700, 900, 990, 999, 1000):
            q = mpmath.mpf(float(failure_bound(k, 1000, 0.001)))
            z = mpmath.sqrt(2) * mpmath.erfinv(1 - 2 * q)
            radius = certified_radius(k, 1000, 0.001, 0.25)
            steps = round(radius * 10**6)
            assert float(f"{radius:.6f}") == radius
            assert mpmath.mpf(steps) / 10**6 <= mpmath.mpf(0.25) * z < mpmath.mpf(steps + 1) / 10**6


def test_total_variation_is_taken_off_and_can_force_abstention() -> None:
    plain = certified_radius(990, 1000, 0.001, 0.5)
    corrected = certified_radius(990, 1000, 0.001, 0.5, total_variation=1e-3)
    assert corrected < plain
    assert certified_radius(990, 1000, 0.001, 0.5, total_variation=6e-12) in (plain, plain - 1e-6)
    assert certified_radius(990, 1000, 0.001, 0.5, total_variation=0.5) == 0.0
    assert not is_majority(990, 1000, 0.001, total_variation=0.5)


def test_smallest_useful_n() -> None:
    for alpha in (0.3, 0.05, 0.01, 0.001, 1e-6, LEAST_ALPHA):
        n = smallest_useful_n(alpha)
        assert is_majority(n, n, alpha)
        assert n == 1 or not is_majority(n - 1, n - 1, alpha)
        if alpha > 2 * LEAST_ALPHA:
            assert smallest_useful_n(alpha, parts=2) == smallest_useful_n(alpha / 2)
    assert smallest_useful_n(0.001) == 10
    # n votes of n prove no more than 1/2 at these levels, to the last bit.
    assert [smallest_useful_n(2.0**-k) for k in range(2, 40)] == list(range(3, 41))
    assert smallest_useful_n(LEAST_ALPHA, parts=2) == 41


def test_covered_squared_distance_by_definition() -> None:
    for steps in (0, 1, 3921, 3922, 250_000, 500_000, 953_125, 3_811_500, 38_115_000):
        radius = steps / 10**6
        squared = (255 * Fraction(steps, 10**6)) ** 2
        covered = covered_squared_distance(radius)
        if steps:
            assert covered < squared or covered == 0
            assert covered + 1 >= squared
        else:
            assert covered == 0
    # 255 * .2 = 51 exactly: a distance of exactly r is not covered.
    assert covered_squared_distance(0.2) == 51**2 - 1


@pytest.mark.parametrize(("first", "second"), [(10, 0), (15, 2), (30, 9)])
def test_a_p_value_of_alpha_itself_may_be_a_rounded_one(first: int, second: int) -> None:
    """So it is not called small enough: what is computed may lie below what is true."""
    trials = first + second
    tail = Fraction(sum(math.comb(trials, k) for k in range(second + 1)), 2**trials)
    assert not top_two_differ(first, second, float(2 * tail))
    assert top_two_differ(first, second, float(2 * tail) * (1 + 3e-7))


@pytest.mark.parametrize("trials", [1, 2, 9, 10, 11, 40])
def test_two_sided_test_equals_enumeration(trials: int) -> None:
    weights = [Fraction(math.comb(trials, k), 2**trials) for k in range(trials + 1)]
    for first in range(trials + 1):
        # The law at 1/2 is symmetric: "as extreme" means as far from the middle.
        extreme = sum(
            w for k, w in enumerate(weights) if abs(2 * k - trials) >= abs(2 * first - trials)
        )
        for alpha in (0.001, 0.01, 0.2, 0.6):
            assert top_two_differ(first, trials - first, alpha) == (extreme <= Fraction(alpha))
    assert top_two_differ(0, 0, 0.5) is False


@pytest.mark.parametrize("alpha", [0.0, 1.0, -0.1, math.nan, 9.9e-13, 1e-17, 1e-58, 1e-300])
def test_alpha_out_of_range_is_refused(alpha: float) -> None:
    words = "alpha .* is out of range: expected 1e-12 <= alpha < 1"
    for bound in (failure_bound, lower_confidence_bound, is_majority, top_two_differ):
        with pytest.raises(InputError, match=words):
            bound(1, 2, alpha)
    with pytest.raises(InputError, match=words):
        certified_radius(1, 2, alpha, 0.5)
    with pytest.raises(InputError, match=words):
        smallest_useful_n(alpha)


@pytest.mark.parametrize(("k", "n"), [(-1, 5), (6, 5), (0, 0), (1.5, 2), ([1, 7], 5)])
def test_impossible_counts_are_refused(k: object, n: object) -> None:
    with pytest.raises(InputError, match="counts"):
        lower_confidence_bound(k, n, 0.01)  # type: ignore[call-overload]


@pytest.mark.parametrize("sigma", [0.0, -1.0, math.inf, math.nan])
def test_impossible_sigma_is_refused(sigma: float) -> None:
    with pytest.raises(InputError, match="sigma"):
        certified_radius(9, 10, 0.1, sigma)


def test_family_wise_alpha() -> None:
    assert family_wise_alpha(0.001, 500) == 0.001 / 500
    assert family_wise_alpha(0.001, 1) == 0.001
    with pytest.raises(InputError, match="number of inputs 0 is out of range"):
        family_wise_alpha(0.001, 0)
    with pytest.raises(InputError, match="alpha"):
        family_wise_alpha(0.0, 5)
    assert family_wise_alpha(1e-8, 10_000) == 1e-12
    with pytest.raises(InputError, match=r"alpha 1e-08 shared by 10001 inputs leaves 9\.999e-13"):
        family_wise_alpha(1e-8, 10_001)
