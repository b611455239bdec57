"""Exact error probabilities of the procedures, by enumeration over every outcome."""

import itertools
import math
from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import pytest

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.noise.streams import Purpose
from smoothcert.engine.statistics.bounds import ABSTAIN, certified_radius, lower_confidence_bound
from smoothcert.engine.statistics.procedures import (
    Decision,
    FixedCertify,
    Predict,
    Procedure,
    SampleRange,
)

Probabilities = tuple[Fraction, ...]


def run(procedure: Procedure, *counts: tuple[int, ...]) -> Decision:
    trial = procedure.trial()
    next(trial)
    for i, count in enumerate(counts):
        try:
            trial.send(np.array(count, np.int64))
        except StopIteration as end:
            assert i == len(counts) - 1
            decision = end.value
            assert isinstance(decision, Decision)
            return decision
    raise AssertionError("the trial did not end")


def outcomes(n: int, p: Probabilities) -> Iterator[tuple[tuple[int, ...], Fraction]]:
    """All count vectors of n draws with their multinomial probabilities."""
    for counts in itertools.product(range(n + 1), repeat=len(p)):
        if sum(counts) == n:
            weight = Fraction(math.factorial(n))
            for k, q in zip(counts, p, strict=True):
                weight *= q**k / math.factorial(k)
            yield counts, weight


THREE_CLASSES: list[Probabilities] = [
    (Fraction(1, 2), Fraction(1, 2), Fraction(0)),
    (Fraction(1, 3), Fraction(1, 3), Fraction(1, 3)),
    (Fraction(51, 100), Fraction(49, 100), Fraction(0)),
    (Fraction(6, 10), Fraction(3, 10), Fraction(1, 10)),
    (Fraction(8, 10), Fraction(1, 10), Fraction(1, 10)),
]


@pytest.mark.parametrize("p", THREE_CLASSES)
@pytest.mark.parametrize(("n0", "n", "alpha"), [(3, 9, 0.1), (1, 12, 0.05), (5, 8, 0.3)])
def test_certify_error_is_at_most_alpha(p: Probabilities, n0: int, n: int, alpha: float) -> None:
    """P[the certificate claims more than is true], over all selections and estimations."""
    from scipy.special import ndtri

    procedure = FixedCertify(sigma=1.0, n0=n0, n=n, alpha=alpha)
    wrong = Fraction(0)
    certified = Fraction(0)
    estimations = list(outcomes(n, p))
    for selection, weight in outcomes(n0, p):
        for estimation, inner in estimations:
            decision = run(procedure, selection, estimation)
            if decision.predict == ABSTAIN:
                continue
            certified += weight * inner
            true_p = p[decision.predict]
            truth = float(ndtri(float(true_p))) if true_p > Fraction(1, 2) else -1.0
            if decision.radius > truth:
                wrong += weight * inner
    assert wrong <= Fraction(alpha)
    assert certified > 0  # the test sees certificates


@pytest.mark.parametrize("p", THREE_CLASSES)
@pytest.mark.parametrize(("n", "alpha"), [(12, 0.05), (9, 0.3)])
def test_predict_error_is_at_most_alpha(p: Probabilities, n: int, alpha: float) -> None:
    """P[a class that is not a most probable one is returned]; at a tie both are wrong."""
    procedure = Predict(n=n, alpha=alpha)
    best = [c for c, q in enumerate(p) if q == max(p)]
    wrong = Fraction(0)
    for counts, weight in outcomes(n, p):
        decision = run(procedure, counts)
        if decision.predict != ABSTAIN and best != [decision.predict]:
            wrong += weight
    assert wrong <= Fraction(alpha)


def test_the_enumeration_can_fail() -> None:
    """Estimating on the selection samples (the classic mistake) exceeds alpha in the same count."""
    n, alpha = 9, 0.1
    p = THREE_CLASSES[0]
    wrong = sum(
        weight
        for counts, weight in outcomes(n, p)
        if lower_confidence_bound(max(counts), n, alpha) >= 0.5
    )
    assert wrong > Fraction(alpha)


def test_certify_asks_for_disjoint_streams_in_order() -> None:
    trial = FixedCertify(sigma=0.5, n0=7, n=50).trial()
    assert next(trial) == SampleRange(Purpose.SELECTION, 0, 7)
    assert trial.send(np.array([1, 5, 1])) == SampleRange(Purpose.ESTIMATION, 0, 50)


def test_certify_result() -> None:
    procedure = FixedCertify(sigma=0.5, n0=7, n=1000, total_variation=6e-12)
    expected = certified_radius(990, 1000, 0.001, 0.5, total_variation=6e-12)
    assert run(procedure, (1, 5, 1), (4, 990, 6)) == Decision(1, expected, 990, 1000, 7, 1007)
    # The estimation's majority is another class: the selected one is tested, and fails.
    assert run(procedure, (1, 5, 1), (990, 4, 6)) == Decision(ABSTAIN, 0.0, 4, 1000, 7, 1007)
    assert run(procedure, (0, 0, 0), (0, 0, 0)).predict == ABSTAIN  # every vote was NaN


def test_certify_results_can_be_checked_from_count_and_n() -> None:
    procedure = FixedCertify(sigma=0.5, n0=7, n=1000)
    assert procedure.radius_of(990, 1000) == certified_radius(990, 1000, 0.001, 0.5)
    assert procedure.certifies(550, 1000)
    assert not procedure.certifies(549, 1000)
    with pytest.raises(InputError, match="n 999 is not 1000"):
        procedure.radius_of(990, 999)
    assert Predict(n=100).certifies(90, 100)
    assert not Predict(n=100).certifies(10, 100)
    assert Predict(n=100).radius_of(90, 100) == 0.0


def test_predict_is_that_of_the_paper_by_default() -> None:
    """With 100 samples more than a vote needs, n 1,000 and alpha .001."""
    assert Predict() == Predict(n=1000, alpha=0.001)


def test_predict_names_a_class_that_all_votes_are_for_if_they_are_enough() -> None:
    """2 * 2^-5 <= .1 < 2 * 2^-4."""
    assert Predict(12, 0.1).certifies(5, 12)
    assert not Predict(12, 0.1).certifies(4, 12)


def test_an_abstention_covers_no_other_image() -> None:
    assert Decision(ABSTAIN, 0.0, 50, 100, 10, 110).covers == 0
    assert Decision(0, 0.2, 90, 100, 10, 110).covers == 51**2 - 1


def test_predict_result() -> None:
    procedure = Predict(n=100, alpha=0.001)
    assert run(procedure, (10, 90)) == Decision(1, 0.0, 90, 100, 0, 100)
    assert run(procedure, (45, 55)) == Decision(ABSTAIN, 0.0, 55, 100, 0, 100)
    assert run(procedure, (0, 0)).predict == ABSTAIN
    assert run(procedure, (100,)).predict == 0
    # What the noise may be off is taken off alpha: 2^-99 of 100 votes is below what is left, 2^-10
    # of 11 is not.
    assert run(Predict(n=100, alpha=0.001, total_variation=9e-6), (0, 100)).predict == 1
    assert run(Predict(n=11, alpha=0.001, total_variation=9e-6), (0, 11)).predict == ABSTAIN
    assert run(Predict(n=11, alpha=0.001), (0, 11)).predict == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"n": 9}, "n 9 is too small ever to certify at alpha 0.001: expected at least 10"),
        ({"n": 0}, "n 0 is out of range"),
        ({"n0": 0}, "n0 0 is out of range: expected 1 <= n0"),
        ({"n": 10**10}, "n 10000000000 is out of range"),
        ({"alpha": 0.0}, "alpha"),
        ({"alpha": 1e-17}, "alpha 1e-17 is out of range: expected 1e-12 <= alpha < 1"),
        ({"alpha": 1.5}, "alpha"),
        ({"sigma": 0.0}, "sigma 0.0 is out of range"),
    ],
)
def test_useless_certify_settings_are_refused(arguments: dict[str, float], words: str) -> None:
    with pytest.raises(InputError, match=words):
        FixedCertify(**{"sigma": 0.5, **arguments})  # type: ignore[arg-type]


def test_useless_predict_settings_are_refused() -> None:
    with pytest.raises(InputError, match=r"n 10 is too small ever to predict at alpha 0\.001"):
        Predict(n=10)
    Predict(n=11)
    with pytest.raises(InputError, match="alpha"):
        Predict(alpha=-1)
    with pytest.raises(InputError, match=r"n 1000 is too large to predict at alpha 0\.001"):
        Predict(n=1000, total_variation=1e-6)
