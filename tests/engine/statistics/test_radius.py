import hashlib
import json

import numpy as np
import pytest
from scipy import special, stats

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.noise.streams import Purpose
from smoothcert.engine.statistics.bounds import ABSTAIN, certified_radius
from smoothcert.engine.statistics.procedures import Decision, SampleRange
from smoothcert.engine.statistics.radius import RadiusCertify


def decide(
    procedure: RadiusCertify, p: float, rng: np.random.Generator, label: int | None = None
) -> Decision:
    trial = procedure.trial(label)
    wanted = next(trial)
    while True:
        try:
            wanted = trial.send(rng.multinomial(wanted.count, (1 - p, p)))
        except StopIteration as end:
            decision = end.value
            assert isinstance(decision, Decision)
            return decision


@pytest.mark.slow
@pytest.mark.parametrize("z", [0.0, 0.01, 0.5, 2.0])
def test_every_planned_size_errs_at_most_alpha(z: float) -> None:
    """Exact: given the pilot, what is claimed depends on Bin(size, p) alone."""
    procedure = RadiusCertify(1.0, n=10_000, alpha=0.05, tolerance=0.01)
    p = float(special.ndtr(z))
    for n in procedure.plan.sizes:
        claims = [k for k in range(n + 1) if procedure.radius_of(k, n) > z]
        assert stats.binom.pmf(claims, n, p).sum() <= 0.05
        named = [k for k in range(n + 1) if procedure.certifies(k, n)]
        assert stats.binom.pmf(named, n, 0.5).sum() <= 0.05


@pytest.mark.parametrize("p", [0.5, 0.7, 0.98])
def test_simulated_error(p: float) -> None:
    """Pilot, plan, giving up and all: at most alpha = .1, with standard error .0067."""
    procedure = RadiusCertify(1.0, n=2000, alpha=0.1, tolerance=0.05, pilot=50)
    rng = np.random.default_rng(11)
    truth = float(special.ndtri(p))
    wrong = 0
    for _ in range(2000):
        decision = decide(procedure, p, rng)
        if decision.predict != ABSTAIN:
            false_radius = decision.radius > truth or (truth == 0.0)
            wrong += decision.predict == 0 or false_radius
    assert 0 < wrong <= (0.1 + 3 * 0.0067) * 2000


def test_a_trial() -> None:
    procedure = RadiusCertify(0.5, tolerance=0.01)
    trial = procedure.trial()
    assert next(trial) == SampleRange(Purpose.PILOT, 0, 500)
    size = procedure.planned(450)
    assert trial.send(np.array([40, 450, 10])) == SampleRange(Purpose.ESTIMATION, 0, size // 16)
    first = np.array([0, size // 16 - 50, 50])
    assert trial.send(first) == SampleRange(Purpose.ESTIMATION, size // 16, size // 4 - size // 16)
    second = np.array([0, size // 4 - size // 16, 0])
    assert trial.send(second) == SampleRange(Purpose.ESTIMATION, size // 4, size - size // 4)
    with pytest.raises(StopIteration) as end:
        trial.send(np.array([0, size - size // 4 - 50, 50]))
    radius = certified_radius(size - 100, size, 0.001, 0.5)
    assert end.value.value == Decision(1, radius, size - 100, size, 500, 500 + size)


def test_hopeless_inputs_end_early() -> None:
    procedure = RadiusCertify(0.5, tolerance=0.01)
    assert procedure.planned(200) == 0
    trial = procedure.trial()
    next(trial)
    with pytest.raises(StopIteration) as end:
        trial.send(np.array([150, 200, 150]))
    assert end.value.value == Decision(ABSTAIN, 0.0, 0, 0, 500, 500)
    trial = procedure.trial()
    next(trial)
    wanted = trial.send(np.array([245, 255]))
    with pytest.raises(StopIteration) as end:
        trial.send(np.array([wanted.count, 0]))
    assert end.value.value == Decision(ABSTAIN, 0.0, 0, wanted.count, 500, 500 + wanted.count)


def test_results_can_be_checked_from_count_and_n() -> None:
    procedure = RadiusCertify(0.5, n=20_000, samples_price=0.1)
    rng = np.random.default_rng(2)
    for p in rng.uniform(0.4, 1.0, 100):
        decision = decide(procedure, p, rng)
        if decision.predict != ABSTAIN:
            assert procedure.certifies(decision.count, decision.n)
            assert procedure.radius_of(decision.count, decision.n) == decision.radius
        assert decision.drawn == decision.n + 500 <= procedure.max_samples
    with pytest.raises(InputError, match="n 100 is not one of the sizes"):
        procedure.radius_of(90, 100)


def test_label_aware_trials_drop_other_classes_after_the_pilot() -> None:
    procedure = RadiusCertify(0.5, n=5000, tolerance=0.01, label_aware=True)
    rng = np.random.default_rng(4)
    assert decide(procedure, 0.9, rng, label=0).drawn == 500
    assert decide(procedure, 0.9, rng, label=1).predict == 1
    with pytest.raises(InputError, match="label"):
        next(procedure.trial())


def test_describe_names_what_decides() -> None:
    described = RadiusCertify(0.5, n=5000, tolerance=0.01).describe()
    assert described == RadiusCertify(0.5, n=5000, tolerance=0.01).describe()
    assert described["tolerance"] == 0.01
    assert "samples_price" not in described
    for other in (
        RadiusCertify(0.5, n=5000, tolerance=0.02),
        RadiusCertify(0.5, n=5000, samples_price=0.1),
        RadiusCertify(0.5, n=5000, tolerance=0.01, alpha=0.01),
        RadiusCertify(0.5, n=5000, tolerance=0.01, total_variation=0.01),
    ):
        assert other.describe()["plan"] != described["plan"]


def test_what_is_described_is_the_plan_of_every_number_of_votes() -> None:
    procedure = RadiusCertify(0.5, n=5000, tolerance=0.01)
    planned = [procedure.planned(votes) for votes in range(501)]
    whole = [[size, procedure.checks.get(size)] for size in planned]
    described = procedure.describe()
    assert described["n0"] == 500
    assert described["plan"] == hashlib.sha256(json.dumps(whole).encode()).hexdigest()


def test_more_than_100_000_samples_certify_more() -> None:
    procedure = RadiusCertify(0.5, n=1_000_000, samples_price=0.03)
    assert procedure.planned(500) > 100_000
    assert procedure.max_samples == 1_000_500


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "exactly one"),
        ({"tolerance": 0.01, "samples_price": 0.1}, "exactly one"),
        ({"tolerance": 0.0}, "tolerance 0.0"),
        ({"tolerance": 1.0}, "tolerance 1.0"),
        ({"samples_price": 0.0}, "samples price 0.0"),
        ({"samples_price": float("inf")}, "samples price inf"),
        ({"tolerance": 0.01, "n": 5}, "n 5 is too small"),
        ({"tolerance": 0.01, "pilot": 0}, "pilot 0 is out of range"),
        ({"tolerance": 0.01, "alpha": 2.0}, "alpha"),
        ({"tolerance": 0.01, "alpha": 1e-58}, "alpha 1e-58 is out of range: expected 1e-12"),
    ],
)
def test_useless_settings_are_refused(arguments: dict[str, float], words: str) -> None:
    with pytest.raises(InputError, match=words):
        RadiusCertify(0.5, **arguments)  # type: ignore[arg-type]


TWO = RadiusCertify(1.0, n=80, alpha=0.2, tolerance=0.05, pilot=20, bound="two-class")


@pytest.mark.parametrize("shares", [(0.5, 0.5, 0.0), (0.4, 0.4, 0.2), (0.5, 0.3, 0.2)])
def test_two_classes_err_at_most_alpha_at_every_size(shares: tuple[float, ...]) -> None:
    """Exact, given that the pilot selects the first class: all counts of three classes."""
    p_a, p_b, p_c = shares
    truth = float(special.ndtri(p_a) - special.ndtri(max(p_b, p_c))) / 2
    for n in TWO.plan.sizes:
        wrong = 0.0
        for count in range(n + 1):
            for second in range(n - count + 1):
                votes = count, n, max(second, n - count - second)
                if TWO.certifies(*votes) and (truth <= 0 or TWO.radius_of(*votes) > truth):
                    wrong += float(
                        stats.binom.pmf(count, n, p_a)
                        * stats.binom.pmf(second, n - count, p_b / (1 - p_a))
                    )
        assert wrong <= 0.2
        assert wrong > 0.01 or truth > 0


def test_two_classes_are_given_up_where_the_other_leads() -> None:
    procedure = RadiusCertify(0.5, tolerance=0.01, bound="two-class")
    size = procedure.planned(200, 150)
    for count in range(0, 60, 7):
        given_up = [procedure.gives_up(size, size // 16, count, other) for other in range(200)]
        assert given_up == sorted(given_up)
        futile = [other for other, up in enumerate(given_up) if up]
        # The fewest votes against it that are as rare as 1 in 200 for a class that leads.
        assert stats.binom.cdf(count, count + futile[0], 0.5) < 0.005
        assert stats.binom.cdf(count, count + futile[0] - 1, 0.5) >= 0.005
    assert not procedure.gives_up(size, size // 16, 0, 0)


def test_two_class_trials_keep_the_runner_up() -> None:
    procedure = RadiusCertify(0.5, n=5000, tolerance=0.05, bound="two-class")
    rng = np.random.default_rng(3)
    for shares in ((0.4, 0.2, 0.2, 0.2), (0.9, 0.1, 0.0, 0.0), (0.26, 0.25, 0.25, 0.24)):
        counts = np.zeros(4, np.int64)
        trial = procedure.trial()
        wanted = next(trial)
        while True:
            drawn = rng.multinomial(wanted.count, shares)
            if wanted.purpose == Purpose.ESTIMATION:
                counts += drawn
            try:
                wanted = trial.send(drawn)
            except StopIteration as end:
                decision = end.value
                break
        top = int(np.flatnonzero(counts == decision.count)[0])
        assert decision.runner_up == np.delete(counts, top).max()
        votes = decision.count, decision.n, decision.runner_up
        if decision.predict != ABSTAIN:
            assert procedure.certifies(*votes)
            assert procedure.radius_of(*votes) == decision.radius > 0.0
    described = procedure.describe()
    assert described["bound"] == "two-class"
    run = {**described, "sigma": 0.5, "total_variation": 0.0}
    assert RadiusCertify.of_description(run) == procedure
    assert described["plan"] != RadiusCertify(0.5, n=5000, tolerance=0.05).describe()["plan"]
