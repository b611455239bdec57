"""The two-class bound, exactly: every outcome of small samples, of known class probabilities."""

import itertools
import math
from collections.abc import Iterator
from functools import cache

import mpmath
import numpy as np
import numpy.typing as npt
import pytest
from scipy import special, stats

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.statistics.bounds import (
    ABSTAIN,
    certified_radius,
    failure_bound,
    round_down,
    smallest_useful_n,
)
from smoothcert.engine.statistics.class_bounds import (
    OneSided,
    TwoClass,
    class_bound,
    two_tails,
    two_tails_radius,
)
from smoothcert.engine.statistics.procedures import FixedCertify

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

STEPS = 20


@cache
def outcomes(n: int, classes: int) -> tuple[Ints, Floats]:
    """All counts of n votes, int64 [outcomes, classes], and in how many orders each comes."""
    counts = np.array([c for c in itertools.product(range(n + 1), repeat=classes) if sum(c) == n])
    orders = [math.factorial(n) / math.prod(map(math.factorial, c)) for c in counts.tolist()]
    return counts, np.array(orders)


def chances(n: int, shares: Floats) -> Floats:
    """The probability of each of the outcomes."""
    counts, orders = outcomes(n, len(shares))
    chances: Floats = orders * np.prod(shares**counts, axis=1)
    return chances


def grid(classes: int) -> Iterator[Floats]:
    """Class probabilities in steps of 1 / STEPS, the others than the first in falling order, and
    near ties of the first with them."""
    for shares in itertools.product(range(STEPS + 1), repeat=classes):
        if sum(shares) == STEPS and list(shares[1:]) == sorted(shares[1:], reverse=True):
            yield np.array(shares) / STEPS
    for tied in range(2, classes + 1):
        yield np.append(np.full(tied, 1 / tied), np.zeros(classes - tied))


def true_radius(shares: Floats) -> float:
    """Of sigma 1 and the first class; -1 where it is not the smoothed classifier's."""
    first, second = float(shares[0]), float(shares[1:].max())
    if first <= second:
        return -1.0
    return float(special.ndtri(first) - special.ndtri(second)) / 2


def claims(bound: OneSided | TwoClass, n: int, classes: int) -> Floats:
    """The radius that each outcome claims for the first class; -2 where none."""
    counts, _ = outcomes(n, classes)
    found: list[float] = []
    for row in counts:
        votes = int(row[0]), n, bound.runner_up(row, 0)
        found.append(bound.radius(*votes, 1.0) if bound.certifies(*votes) else -2.0)
    return np.array(found)


def worst(bound: OneSided | TwoClass, n: int, classes: int) -> tuple[float, float]:
    """The largest probability, over the grid, of a wrong class, and of too large a radius."""
    claimed = claims(bound, n, classes)
    wrong = [0.0, 0.0]
    for shares in grid(classes):
        truth = true_radius(shares)
        false = (claimed > -2.0) & ((truth < 0.0) | (claimed > truth))
        kind = 0 if truth < 0.0 else 1
        wrong[kind] = max(wrong[kind], float(chances(n, shares)[false].sum()))
    return wrong[0], wrong[1]


@pytest.mark.parametrize(("classes", "n"), [(3, 7), (3, 12), (4, 9), (4, 12), (5, 8)])
@pytest.mark.parametrize("alpha", [0.05, 0.3])
def test_no_more_than_alpha_is_certified_falsely(classes: int, n: int, alpha: float) -> None:
    wrong_class, wrong_radius = worst(TwoClass(alpha), n, classes)
    assert wrong_class <= alpha
    assert wrong_radius <= alpha


def test_alpha_is_used_where_classes_tie() -> None:
    """Not a bound that is valid because it claims nothing: near a tie it errs half of alpha_1."""
    alpha = 0.3
    counts = outcomes(12, 3)[0]
    claimed = claims(TwoClass(alpha), 12, 3)
    shares = np.array([0.5, 0.5, 0.0])
    false = float(chances(12, shares)[claimed > -2.0].sum())
    assert 0.25 * alpha < false <= alpha
    # Three that tie: the largest other count is rarely the runner-up's, and the bound is safer.
    thirds = float(chances(12, np.full(3, 1 / 3))[claimed > -2.0].sum())
    assert 0.0 < thirds < false
    assert len(claimed) == len(counts)


class NoSplit(TwoClass):
    """Spends alpha on either bound."""

    @property
    def alpha_runner_up(self) -> float:
        return self.alpha

    @property
    def alpha_top(self) -> float:
        return self.alpha


class SmallestOther(TwoClass):
    """Bounds some other class than the largest."""

    def runner_up(self, counts: Ints, top: int) -> int:
        return int(np.delete(counts, top).min())


class NoBoundOfTheOther(TwoClass):
    """Takes the largest other class's share for its probability."""

    def certifies(self, count: int, n: int, runner_up: int | None) -> bool:
        assert runner_up is not None
        return bool(failure_bound(count, n, self.alpha) + runner_up / n < 1.0)

    def radius(self, count: int, n: int, runner_up: int | None, sigma: float) -> float:
        assert runner_up is not None
        not_top = failure_bound(count, n, self.alpha)
        return float(two_tails_radius(not_top, max(runner_up / n, 1e-9), sigma))


@pytest.mark.parametrize("broken", [SmallestOther, NoBoundOfTheOther])
def test_a_bound_that_breaks_the_proof_is_found(broken: type[TwoClass]) -> None:
    assert max(worst(broken(0.3), 12, 3)) > 0.3


def test_a_bound_that_spends_alpha_twice_claims_more() -> None:
    """Exceeds alpha itself only between the grid's points: but never claims less."""
    honest, twice = claims(TwoClass(0.3), 12, 3), claims(NoSplit(0.3), 12, 3)
    assert np.all(twice >= honest)
    assert np.any(twice > honest)


def test_selection_and_all() -> None:
    """CERTIFY whole, every outcome of its selection and of its estimation samples."""
    alpha, n0, n = 0.2, 3, 9
    procedure = FixedCertify(1.0, n0, n, alpha, bound="two-class")
    selections, estimations = outcomes(n0, 3)[0], outcomes(n, 3)[0]
    ends = {}
    for selection, estimation in itertools.product(selections, estimations):
        trial = procedure.trial()
        next(trial)
        trial.send(selection)
        with pytest.raises(StopIteration) as end:
            trial.send(estimation)
        ends[tuple(selection), tuple(estimation)] = end.value.value
    laws = ((0.4, 0.4, 0.2), (0.5, 0.5, 0.0), (1 / 3,) * 3, (0.6, 0.3, 0.1), (0.05, 0.9, 0.05))
    for shares in map(np.array, laws):
        false = 0.0
        for a, first in zip(selections, chances(n0, shares), strict=True):
            for b, second in zip(estimations, chances(n, shares), strict=True):
                decision = ends[tuple(a), tuple(b)]
                if decision.predict != ABSTAIN:
                    order = [decision.predict, *(c for c in range(3) if c != decision.predict)]
                    truth = true_radius(shares[order])
                    false += float(first * second) * (truth < 0.0 or decision.radius > truth)
        assert false <= alpha


@pytest.mark.parametrize("tau", [0.01, 0.1])
def test_total_variation_is_taken_off_both(tau: float) -> None:
    """Votes are drawn from a law that is tau off the ideal one, which the claims are about."""
    alpha, n = 0.3, 12
    claimed = claims(TwoClass(alpha, tau), n, 3)
    checked = 0
    for ideal in grid(3):
        truth = true_radius(ideal)
        for moved in ([tau, -tau, 0.0], [tau, 0.0, -tau], [0.0, -tau, tau], [-tau, tau, 0.0]):
            drawn = ideal + np.array(moved)
            if (drawn >= 0.0).all():
                false = (claimed > -2.0) & ((truth < 0.0) | (claimed > truth))
                assert float(chances(n, drawn)[false].sum()) <= alpha
                checked += 1
    assert checked > 100
    assert np.all(claimed <= claims(TwoClass(alpha), n, 3))


def test_never_less_than_the_top_class_alone() -> None:
    bound = TwoClass(0.001)
    for n in (50, 1000, 100_000):
        counts = np.unique(np.linspace(0, n, 60).astype(int))
        for count in map(int, counts):
            alone = certified_radius(count, n, bound.alpha_top, 0.5)
            proved = bool(failure_bound(count, n, bound.alpha_top) < 0.5)
            for runner_up in {0, (n - count) // 5, (n - count) // 2, n - count}:
                assert bound.radius(count, n, runner_up, 0.5) >= alone
                assert bound.certifies(count, n, runner_up) >= proved
            # All other votes for one class: nothing is known of it but that it is not the top.
            assert bound.radius(count, n, n - count, 0.5) == alone


def test_three_classes_at_n_100_000() -> None:
    """p = .6, .2, .2: as good as both bounds are, and twice the one-sided radius at least."""
    n, rng = 100_000, np.random.default_rng(5)
    one, two = FixedCertify(0.5), FixedCertify(0.5, bound="two-class")
    for _ in range(20):
        counts = rng.multinomial(n, [0.6, 0.2, 0.2])
        ends = []
        for procedure in (one, two):
            trial = procedure.trial()
            next(trial)
            trial.send(np.array([60, 20, 20]))
            with pytest.raises(StopIteration) as end:
                trial.send(counts)
            ends.append(end.value.value)
        assert ends[0].predict == ends[1].predict == 0
        assert ends[1].radius > 2 * ends[0].radius
        assert ends[1].radius <= 0.5 * true_radius(np.array([0.6, 0.2, 0.2]))
        assert ends[0].runner_up is None
        assert ends[1].runner_up == counts[1:].max()
        assert ends[1].covers == math.ceil((255 * ends[1].radius) ** 2) - 1


def test_a_class_that_leads_without_a_majority() -> None:
    one, two = OneSided(0.001), TwoClass(0.001)
    assert not one.certifies(3000, 10_000, None)
    assert two.certifies(3000, 10_000, 1000)
    assert not two.certifies(3000, 10_000, 2990)
    assert two.radius(3000, 10_000, 1000, 1.0) > 0.3
    assert two.radius(3000, 10_000, 2990, 1.0) == 0.0


def _quantile(tail: float) -> mpmath.mpf:
    """-Phi^-1(tail)."""
    return mpmath.sqrt(2) * mpmath.erfinv(1 - 2 * mpmath.mpf(tail))


def test_against_scipy_and_exact_arithmetic() -> None:
    """scipy's beta quantiles for the bounds, 50 digits for the radius: never above, and close."""
    rng = np.random.default_rng(3)
    for _ in range(100):
        n = int(rng.integers(30, 100_000))
        count = int(rng.integers(1, n))
        runner_up = int(rng.integers(0, n - count + 1))
        not_top, other = map(float, two_tails(count, runner_up, n, 0.0009, 0.0001))
        lower = stats.beta.ppf(0.0009, count, n - count + 1)
        upper = stats.beta.ppf(1 - 0.0001, runner_up + 1, n - runner_up)
        assert not_top == pytest.approx(1 - lower, rel=1e-6)
        assert other == pytest.approx(min(upper, 1 - lower), rel=1e-6)
        found = float(two_tails_radius(not_top, other, 1.0))
        if not_top + other < 1:
            with mpmath.workdps(50):
                exact = (_quantile(not_top) + _quantile(other)) / 2
                assert found <= exact < found + 2e-6
        else:
            assert found == 0.0
        assert found == round_down(found)


def test_radii_of_arrays() -> None:
    tails = two_tails([600, 500], [100, 499], 1000, 0.0009, 0.0001)
    radii = two_tails_radius(*tails, 0.5)
    bound = TwoClass(0.001)
    assert radii.tolist() == [bound.radius(600, 1000, 100, 0.5), 0.0]


def test_the_split_is_described() -> None:
    assert TwoClass(0.001).describe() == {"bound": "two-class", "alpha_runner_up": 0.0001}
    assert TwoClass(0.001).alpha_top + TwoClass(0.001).alpha_runner_up == 0.001
    assert OneSided(0.001).describe() == {}
    described = FixedCertify(0.5, 10, 100, 0.01, bound="two-class").describe()
    run = {**described, "sigma": 0.5, "total_variation": 0.0}
    assert FixedCertify.of_description(run) == FixedCertify(0.5, 10, 100, 0.01, bound="two-class")


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(InputError, match="bound 'both' is unknown: expected one-sided or t"):
        class_bound("both", 0.001, 0.0)
    with pytest.raises(InputError, match="leaves 1e-13 to the runner-up's bound"):
        FixedCertify(0.5, alpha=1e-12, bound="two-class")
    with pytest.raises(InputError, match="no votes of the runner-up"):
        TwoClass(0.001).radius(90, 100, None, 0.5)
    with pytest.raises(InputError, match=r"total_variation -1"):
        class_bound("two-class", 0.001, -1.0)
    least = smallest_useful_n(TwoClass(0.001).alpha_top)
    with pytest.raises(InputError, match="too small ever to certify"):
        FixedCertify(0.5, n=least - 1, bound="two-class")
    assert FixedCertify(0.5, n=least, bound="two-class").certifies(least, least, 0)
