"""Boundaries against recomputations of another kind: fractions, and full states without windows."""

import itertools
import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest
from scipy import signal, stats

from smoothcert.engine.statistics import sequential
from smoothcert.engine.statistics.bounds import LEAST_ALPHA, lower_confidence_bound
from smoothcert.engine.statistics.sequential import (
    Floats,
    Ints,
    Spending,
    convex_boundary,
    crossing_probability,
    even_odds,
    futile_counts,
    group_boundary,
    inflection,
    looks_until,
)

STRICT = Spending(0.0, 0.25, 0.75)
FAST = Spending(0.2, 0.4, 0.4)


def exact_crossing(p: Fraction, looks: Sequence[int], needed: Ints) -> list[Fraction]:
    """Probability of having crossed by each look, in fractions, over the full state."""
    state = {0: Fraction(1)}
    crossed, total, previous = [], Fraction(0), 0
    for look, votes in zip(looks, needed.tolist(), strict=True):
        d = look - previous
        pmf = [math.comb(d, k) * p**k * (1 - p) ** (d - k) for k in range(d + 1)]
        after: dict[int, Fraction] = {}
        for (k, v), (i, w) in itertools.product(state.items(), enumerate(pmf)):
            after[k + i] = after.get(k + i, Fraction(0)) + v * w
        total += sum(v for k, v in after.items() if k >= votes)
        state = {k: v for k, v in after.items() if k < votes}
        crossed.append(total)
        previous = look
    return crossed


def full_crossing(p: float, looks: Sequence[int], needed: Ints) -> float:
    """Crossing probability over the full state by Fourier convolution (error about 1e-13)."""
    state, total, previous = np.ones(1), 0.0, 0
    for look, votes in zip(looks, needed.tolist(), strict=True):
        pmf = stats.binom.pmf(np.arange(look - previous + 1), look - previous, p)
        state = np.maximum(signal.fftconvolve(state, pmf), 0.0)
        total += float(state[votes:].sum())
        state[votes:] = 0.0
        previous = look
    return total


@pytest.mark.parametrize("spending", [STRICT, FAST])
@pytest.mark.parametrize("p", [Fraction(1, 2), Fraction(7, 10), Fraction(24, 25)])
@pytest.mark.parametrize("alpha", [0.2, 0.01])
def test_boundaries_spend_no_more_than_alpha_and_waste_none(
    spending: Spending, p: Fraction, alpha: float
) -> None:
    looks = (5, 9, 14, 20)
    allowed = spending.cumulative(len(looks)) * alpha
    needed, spent = group_boundary(float(1 - p), looks, allowed)
    crossed = exact_crossing(p, looks, needed)
    assert crossed[-1] <= Fraction(alpha)
    assert spent == pytest.approx(float(crossed[-1]), rel=1e-8)
    # One vote less at the last look is too much.
    if needed[-1] <= looks[-1]:
        needed[-1] -= 1
        assert exact_crossing(p, looks, needed)[-1] > Fraction(alpha) * (1 - Fraction(1, 10**8))


@pytest.mark.parametrize("p", [Fraction(1, 2), Fraction(7, 10)])
def test_what_is_said_to_be_spent_is_no_less_than_what_is(p: Fraction) -> None:
    """Rounded up, by little."""
    looks = (10, 20, 40, 60)
    for alpha in (0.05, 0.001):
        needed, spent = group_boundary(float(1 - p), looks, STRICT.cumulative(4) * alpha)
        exact = exact_crossing(p, looks, needed)[-1]
        assert exact <= Fraction(spent) <= exact * (1 + Fraction(1, 10**7))


@pytest.mark.parametrize("p", [Fraction(1, 2), Fraction(7, 10)])
def test_boundaries_hold_at_the_least_alpha(p: Fraction) -> None:
    """And use it: what the windows leave out is charged, and still far below."""
    looks = (50, 70, 100, 140)
    needed, spent = group_boundary(float(1 - p), looks, FAST.cumulative(4) * LEAST_ALPHA)
    crossed = exact_crossing(p, looks, needed)[-1]
    assert Fraction(LEAST_ALPHA) / 4 < crossed <= Fraction(LEAST_ALPHA)
    assert crossed <= Fraction(spent)


def test_a_look_never_needs_what_an_earlier_one_has_settled() -> None:
    """All of 9 votes prove p > .8 at .15; all of 20 prove it too, and 20 of 20 had all of 9."""
    needed, _ = group_boundary(0.2, (9, 20), np.array([0.15, 0.1501]))
    assert needed[0] == 9
    assert needed[1] == 20


@pytest.mark.parametrize("at", [0, 1, 2, 3])
def test_a_boundary_that_may_not_be_lower_is_not(at: int) -> None:
    looks, least = (5, 9, 14, 20), np.zeros(4, np.int64)
    least[at] = looks[at] + 1
    needed, _ = group_boundary(0.3, looks, FAST.cumulative(4) * 0.2, least)
    assert needed[at] == looks[at] + 1
    assert exact_crossing(Fraction(7, 10), looks, needed)[-1] <= Fraction(0.2)


@pytest.mark.parametrize("spending", [STRICT, FAST])
@pytest.mark.parametrize("z", [0.0, 0.3, 1.0, 2.0, 3.0, 3.7])
def test_the_level_is_kept_and_used_at_100_000_samples(spending: Spending, z: float) -> None:
    looks, alpha = looks_until(100_000), 0.001
    q = float(stats.norm.sf(z))
    needed, spent = group_boundary(q, looks, spending.cumulative(len(looks)) * alpha)
    crossing = full_crossing(1 - q, looks, needed)
    assert crossing <= alpha
    assert crossing >= (0.97 if z <= 2 else 0.5) * alpha
    assert spent == pytest.approx(crossing, rel=1e-6)


def test_naive_peeking_breaks_the_level() -> None:
    """The Clopper-Pearson bound at every look, each at alpha: the recomputation sees it fail."""
    looks, alpha = looks_until(100_000), 0.001
    counts = [np.arange(n // 2, n + 1) for n in looks]
    naive = [
        int(k[np.argmax(np.asarray(lower_confidence_bound(k, n, alpha)) > 0.5)])
        for k, n in zip(counts, looks, strict=True)
    ]
    assert full_crossing(0.5, looks, np.array(naive)) > 4 * alpha


@pytest.mark.parametrize("p", [1e-4, 0.3, 0.49, 0.5, 0.6, 0.9999])
def test_crossing_probability(p: float) -> None:
    looks = (100, 200, 400, 1000)
    needed = np.array([63, 401, 222, 538])  # the second look cannot cross
    expected = full_crossing(p, looks, needed)
    assert crossing_probability(1 - p, looks, needed) == pytest.approx(
        expected, rel=1e-6, abs=1e-12
    )


def test_a_smaller_probability_crosses_less() -> None:
    looks = looks_until(5000)
    needed, spent = group_boundary(0.5, looks, STRICT.cumulative(len(looks)) * 0.01)
    crossings = [crossing_probability(1 - p, looks, needed) for p in np.linspace(0.4, 0.5, 50)]
    assert np.all(np.diff(crossings) > 0)
    assert crossings[-1] == pytest.approx(spent)


@pytest.mark.parametrize("alpha", [0.0005, 0.05, 0.5, 0.99])
@pytest.mark.parametrize("spending", [STRICT, FAST])
def test_crossing_is_convex_below_one_half(alpha: float, spending: Spending) -> None:
    looks = (20, 40, 60, 100)
    needed, _ = group_boundary(
        0.5, looks, spending.cumulative(4) * alpha, convex_boundary(0.5, looks)
    )
    grid = np.linspace(0.0, 0.5, 101)[1:]
    h = np.array([0.0, *(full_crossing(p, looks, needed) for p in grid)])
    assert np.all(np.diff(h, 2) > -1e-15)
    assert np.all(needed > np.array(looks) / 2)


def test_convexity_is_no_restriction_at_usual_levels() -> None:
    looks = looks_until(100_000)
    for spending in (STRICT, FAST):
        allowed: Floats = spending.cumulative(len(looks)) * 0.0005
        convex = convex_boundary(0.5, looks)
        needed, _ = group_boundary(0.5, looks, allowed, convex)
        free, _ = group_boundary(0.5, looks, allowed, np.zeros(len(looks), np.int64))
        np.testing.assert_array_equal(needed, free)
        assert min(map(inflection, looks, needed.tolist())) >= 0.503
        assert min(map(inflection, looks, convex.tolist())) >= 0.5
        assert max(map(inflection, looks, (convex - 1).tolist())) < 0.5 + 1e-9


def test_convexity_can_fail_where_it_is_not_enforced() -> None:
    looks, needed = (100,), np.array([50])
    h = [full_crossing(p, looks, needed) for p in (0.48, 0.49, 0.5)]
    assert h[0] + h[2] < 2 * h[1] or h[2] > 0.5  # beyond the inflection it is concave
    assert inflection(100, 50) < 0.48


def test_looks() -> None:
    assert looks_until(100) == (100,)
    looks = looks_until(100_000)
    assert looks[:3] == (512, 640, 768)
    assert looks[-2:] == (86720, 100_000)
    assert all(n % 64 == 0 for n in looks[:-1])
    assert np.all(np.diff(looks_until(1000, first=32, ratio=1.1)) > 0)


def test_spending_ends_with_everything() -> None:
    np.testing.assert_allclose(FAST.cumulative(3), [1 / 3, 7 / 15, 1.0])
    np.testing.assert_allclose(STRICT.cumulative(1), [1.0])


def test_a_null_of_one_cannot_be_rejected() -> None:
    needed, spent = group_boundary(0.0, (10, 20), STRICT.cumulative(2))
    assert needed.tolist() == [11, 21]
    assert spent == 0.0


def test_even_odds() -> None:
    q = even_odds([501, 990, 1000, 1001], 1000)
    np.testing.assert_allclose(stats.binom.sf([500, 989, 999], 1000, 1 - q[:3]), 0.5, rtol=1e-9)
    assert q[3] == 0.0


def test_futile_counts_are_the_rare_ones() -> None:
    looks, q = (10, 512, 100_000), np.array([0.49, 0.1, 1e-5, 0.0])
    counts = futile_counts(looks, q, 0.01)
    for j, n in enumerate(looks):
        for a in range(3):
            x = counts[j, a]
            assert stats.binom.cdf(x, n, 1 - q[a]) < 0.01  # 0 for x = -1
            assert stats.binom.cdf(x + 1, n, 1 - q[a]) >= 0.01
    assert counts[:, 3].tolist() == list(looks)


def test_without_beta_nothing_is_futile() -> None:
    assert np.all(futile_counts((10, 100), np.array([0.1, 0.4]), 0.0) == -1)


@pytest.mark.parametrize(
    ("n", "q"), [(60, 0.97), (60, 0.03), (128, 0.9), (512, 0.5), (40, 0.5), (2000, 0.999), (1, 0.5)]
)
def test_a_window_charges_what_it_leaves_out(n: int, q: float) -> None:
    """Never less than that, or more would be crossed than is allowed; nor much more."""
    first, window, lost = sequential._binomial(n, q)
    won, every = q.as_integer_ratio()
    powers = [[side**k for k in range(n + 1)] for side in (won, every - won)]
    exact = [math.comb(n, k) * powers[0][k] * powers[1][n - k] for k in range(n + 1)]
    whole = every**n  # what the integers above are parts of
    inside = range(first, first + len(window))
    assert all(
        abs(found / (exact[k] / whole) - 1) < 1e-12 for k, found in zip(inside, window, strict=True)
    )
    outside = (sum(exact) - sum(exact[k] for k in inside)) / whole
    assert outside <= lost <= 1.02 * outside
    assert (lost == 0.0) == (len(window) == n + 1)
