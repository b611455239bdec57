"""Transferred certificates: exact coverage on toy distributions, then by sampling."""

import math
from collections.abc import Callable
from itertools import product

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.noise.streams import Purpose
from smoothcert.engine.statistics.bounds import ABSTAIN, failure_bound
from smoothcert.engine.statistics.procedures import (
    Decision,
    FixedCertify,
    Procedure,
    SampleRange,
    Transfer,
)
from smoothcert.engine.statistics.radius import RadiusCertify
from smoothcert.engine.statistics.transfer import (
    NO_TRANSFER,
    TransferCertify,
    transferred_radius,
    zeta_upper,
)
from smoothcert.options import CertifyOptions

SIGMA = 1.0


def decide(
    procedure: TransferCertify, counts_of: Callable[[SampleRange], npt.NDArray[np.int64]]
) -> Decision:
    trial = procedure.trial(0)
    wanted = next(trial)
    while True:
        try:
            wanted = trial.send(counts_of(wanted))
        except StopIteration as end:
            decision = end.value
            assert isinstance(decision, Decision)
            return decision


def scripted(
    by_purpose: dict[Purpose, list[int]],
) -> Callable[[SampleRange], npt.NDArray[np.int64]]:
    return lambda wanted: np.array(by_purpose[wanted.purpose], np.int64)


def said(decision: Decision) -> Transfer:
    """Of the reference."""
    assert decision.transfer is not None
    return decision.transfer


def claim(decision: Decision) -> float:
    """What is claimed of p_G of the named class: at least this (nothing: -1)."""
    transfer = said(decision)
    if transfer.predict == ABSTAIN:
        return -1.0
    return max(0.5, float(stats.norm.cdf(transfer.radius / SIGMA)))


def test_exact_coverage_by_enumeration() -> None:
    """Two classes, every outcome of selection, count and losses, over a grid of joint laws: the
    probability of a wrong claim is at most alpha + alpha_zeta. (The union bound leaves room: both
    bounds rarely err together.)"""
    n0, n, m, alpha = 1, 30, 25, 0.1
    procedure = TransferCertify(FixedCertify(SIGMA, n0, n, alpha), SIGMA, m, alpha)
    claims = np.full((2, n + 1, m + 1), -1.0)
    for top, count, losses in product(range(2), range(n + 1), range(m + 1)):
        votes = [n - count, n - count]
        votes[top] = count
        paired = [0] * 4
        paired[top], paired[2 + top] = m - losses, losses
        selection = [0, 0, 0, 0]
        selection[top] = n0
        decision = decide(
            procedure,
            scripted(
                {
                    Purpose.SELECTION: selection,
                    Purpose.ESTIMATION: [*votes, 0, 0],
                    Purpose.DISAGREEMENT: paired,
                }
            ),
        )
        assert said(decision).predict in (ABSTAIN, top)
        claims[top, count, losses] = claim(decision)
    assert claims.max() > 0.6
    worst = 0.0
    grid = np.linspace(0, 1, 41)
    for p_fast, lost, gained in product(grid, np.linspace(0, 0.5, 26), np.linspace(0, 0.5, 6)):
        # lost: F = 0, G = 1. gained: F = 1, G = 0.
        if lost > p_fast or gained > 1 - p_fast:
            continue
        wrong = 0.0
        for top, p, own_loss in ((0, p_fast, lost), (1, 1 - p_fast, gained)):
            p_reference = p - own_loss + (gained if top == 0 else lost)
            law = np.outer(
                stats.binom.pmf(range(n + 1), n, p), stats.binom.pmf(range(m + 1), m, own_loss)
            )
            chosen = p  # one selection sample
            wrong += chosen * law[claims[top] > p_reference + 1e-12].sum()
        worst = max(worst, wrong)
    assert 0.01 < worst <= 2 * alpha


def drawn_from(
    law: npt.NDArray[np.float64], rng: np.random.Generator
) -> Callable[[SampleRange], npt.NDArray[np.int64]]:
    """Counts of samples whose joint votes (F, G) have the law [K, K]."""
    classes = len(law)

    def counts(wanted: SampleRange) -> npt.NDArray[np.int64]:
        joint = rng.multinomial(wanted.count, law.ravel()).reshape(classes, classes)
        if wanted.purpose != Purpose.DISAGREEMENT:
            return np.concatenate([joint.sum(axis=1), np.zeros(classes, np.int64)])
        agreed = np.diag(joint)
        return np.concatenate([agreed, joint.sum(axis=1) - agreed])

    return counts


@pytest.mark.parametrize(
    "options",
    [
        CertifyOptions(SIGMA, n=400, alpha=0.1, radii=(0.0, 0.25, 0.5, 0.75), n_zeta=100),
        CertifyOptions(SIGMA, n=400, alpha=0.1, tolerance=0.05, n_zeta=100),
        CertifyOptions(SIGMA, n0=20, n=200, alpha=0.1, n_zeta=100),
    ],
)
def test_every_mode_covers(options: CertifyOptions) -> None:
    """By 2,000 runs each: also where the class is selected from the samples that bound it. The
    tolerance is 3.5 standard errors."""
    procedure = options.procedure(0.0)
    assert isinstance(procedure, TransferCertify)
    for law in ([[0.70, 0.04], [0.0, 0.26]], [[0.50, 0.02], [0.0, 0.48]], [[0.8, 0.0], [0.0, 0.2]]):
        joint = np.array(law)
        rng = np.random.default_rng(5)
        runs, wrong, certified = 2000, 0, 0
        for _ in range(runs):
            decision = decide(procedure, drawn_from(joint, rng))
            reference = joint.sum(axis=0)[said(decision).predict]
            certified += said(decision).predict != ABSTAIN
            wrong += claim(decision) > reference + 1e-12
        assert wrong / runs <= 0.2 + 3.5 * math.sqrt(0.2 * 0.8 / runs)
        assert certified > 0 or joint[0, 0] < 0.6


def test_nothing_is_asked_of_the_reference_where_the_fast_model_abstains() -> None:
    procedure = TransferCertify(FixedCertify(SIGMA, 10, 100), SIGMA, 1000)
    decision = decide(
        procedure, scripted({Purpose.SELECTION: [6, 4, 0, 0], Purpose.ESTIMATION: [50, 50, 0, 0]})
    )
    assert (decision.predict, decision.transfer, decision.drawn) == (ABSTAIN, NO_TRANSFER, 110)


def test_only_losses_of_the_named_class_count() -> None:
    procedure = TransferCertify(FixedCertify(SIGMA, 10, 1000), SIGMA, 1000)
    votes = {Purpose.SELECTION: [10, 0, 0, 0], Purpose.ESTIMATION: [950, 50, 0, 0]}
    decision = decide(procedure, scripted({**votes, Purpose.DISAGREEMENT: [940, 0, 7, 53]}))
    assert (said(decision).losses, said(decision).n_zeta, decision.drawn) == (7, 1000, 2010)
    assert said(decision).predict == 0
    assert 0.0 < said(decision).radius < decision.radius


def test_the_radius_is_that_of_the_theorem_rounded_down() -> None:
    for radius, zeta in product((0.1, 1.0, 3.5), (0.0, 1e-6, 0.01)):
        exact = -0.5 * stats.norm.ppf(stats.norm.sf(radius / 0.5) + zeta)
        found = transferred_radius(radius, 0.5, zeta)
        assert found <= exact + 1e-12
        assert found == pytest.approx(exact, abs=3e-6)
    assert transferred_radius(0.1, 0.5, 0.4) == 0.0
    assert transferred_radius(0.0, 0.5, 0.0) == 0.0
    assert transferred_radius(1.0, 0.5, 0.01, total_variation=0.01) == pytest.approx(
        transferred_radius(1.0, 0.5, 0.02), abs=1e-6
    )


def test_zeta_is_bounded_from_above() -> None:
    assert zeta_upper(0, 1000, 0.001) == pytest.approx(-math.expm1(math.log(0.001) / 1000), 1e-5)
    assert zeta_upper(5, 1000, 0.001) == pytest.approx(stats.beta.ppf(0.999, 6, 995), 1e-5)
    assert zeta_upper(1000, 1000, 0.001) == 1.0
    for losses, n in product((0, 1, 5, 77), (100, 1000, 12_345)):
        found = zeta_upper(losses, n, 0.01)
        assert found >= float(failure_bound(n - losses, n, 0.01))  # rounded up, as it is logged
        assert float(f"{found:.9f}") == found


def test_where_nothing_is_asked_nothing_is_claimed() -> None:
    assert Transfer(ABSTAIN, 0.0, 0, 0, 1.0) == NO_TRANSFER


@pytest.mark.parametrize(
    ("n_zeta", "alpha_zeta", "words"),
    [
        (5, 0.001, "n-zeta 5 is too small"),
        (1000, 1e-13, "alpha-zeta 1e-13 is"),
        (10**10, 0.1, "n-zeta 10000000000 is out of range"),
    ],
)
def test_settings_that_never_certify_are_refused(
    n_zeta: int, alpha_zeta: float, words: str
) -> None:
    fast: Procedure = FixedCertify(SIGMA)
    with pytest.raises(InputError, match=words):
        TransferCertify(fast, SIGMA, n_zeta, alpha_zeta)


def test_a_two_class_radius_does_not_transfer() -> None:
    """It does not say that the class is as probable as its radius: Phi(R / sigma) may be more."""
    for fast in (
        FixedCertify(SIGMA, 10, 100, bound="two-class"),
        RadiusCertify(SIGMA, 100, tolerance=0.1, bound="two-class"),
    ):
        with pytest.raises(InputError, match="bound two-class does not transfer"):
            TransferCertify(fast, SIGMA, 1000)
