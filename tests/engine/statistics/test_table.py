"""Exact error probabilities of table mode, by enumeration over every path of counts."""

import itertools
import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.noise.streams import Purpose
from smoothcert.engine.statistics.bounds import ABSTAIN, lower_confidence_bound
from smoothcert.engine.statistics.procedures import Decision, Procedure, SampleRange
from smoothcert.engine.statistics.table import SETTINGS, Setting, TableCertify

Path = tuple[tuple[int, ...], ...]
ALPHA = 0.1
SIGMA = 1.0


@pytest.fixture(autouse=True, scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SMOOTHCERT_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def small(looks: tuple[int, ...], **arguments: object) -> TableCertify:
    settings = {"radii": (0.0, 0.3, 0.8), "alpha": ALPHA, "setting": "fast", **arguments}
    return TableCertify(SIGMA, n=looks[-1], looks=looks, **settings)  # type: ignore[arg-type]


def compositions(n: int, classes: int) -> list[tuple[int, ...]]:
    return [k for k in itertools.product(range(n + 1), repeat=classes) if sum(k) == n]


def paths(looks: tuple[int, ...], classes: int) -> list[Path]:
    """Every sequence of counts that the looks can bring."""
    parts = np.diff((0, *looks)).tolist()
    return list(itertools.product(*(compositions(d, classes) for d in parts)))


def decide(procedure: Procedure, path: Path, label: int | None = None) -> Decision:
    trial = procedure.trial(label)
    next(trial)
    for counts in path:
        try:
            trial.send(np.array(counts))
        except StopIteration as end:
            decision = end.value
            assert isinstance(decision, Decision)
            return decision
    raise AssertionError("the trial did not end")


def probability_of(
    wrong: npt.NDArray[np.bool_], every: list[Path], p: npt.NDArray[np.float64]
) -> float:
    """P[wrong] where wrong [paths] and classes have the probabilities p."""
    counts = np.array(every)[wrong]  # [paths, looks, classes]
    factorial = np.vectorize(math.factorial, otypes=[np.float64])
    ways = factorial(counts.sum(axis=2)) / factorial(counts).prod(axis=2)
    return float((ways * (p**counts).prod(axis=2)).prod(axis=1).sum())


def error(
    decisions: list[Decision], every: list[Path], p: npt.NDArray[np.float64], radius: float
) -> float:
    """P[a class is returned with a radius >= `radius`, its own true radius, or a wrong class].

    `radius` is that of class 0; other classes have none.
    """
    predict = np.array([d.predict for d in decisions])
    claimed = np.array([d.radius for d in decisions])
    false = (predict != ABSTAIN) & ((predict != 0) | (claimed >= radius))
    return probability_of(false, every, p)


TWO, THREE = (8, 13, 18, 24), (5, 9, 14)


@pytest.mark.parametrize("setting", ["fast", "strict"])
@pytest.mark.parametrize("label", [None, 0, 1])
def test_two_classes_err_at_most_alpha_at_every_radius(setting: str, label: int | None) -> None:
    procedure = small(TWO, setting=setting, label_aware=label is not None)
    every = paths(TWO, 2)
    decisions = [decide(procedure, path, label) for path in every]
    errors = [error(decisions, every, np.array([0.5, 0.5]), 0.0)]
    for before, step in itertools.pairwise(procedure.table.steps.tolist()):
        # Its true radius is that of the level, or just above the level before: others have more.
        for p in (stats.norm.cdf(step / 1e6), stats.norm.cdf(before / 1e6 + 1e-9)):
            errors.append(error(decisions, every, np.array([p, 1 - p]), step / 1e6))
    assert max(errors) <= ALPHA
    # Neither is it idle: so few samples are coarse, yet they come near.
    assert max(errors) >= (0.3 if label else 0.6) * ALPHA


@pytest.mark.parametrize(
    "p",
    [(1 / 3, 1 / 3, 1 / 3), (0.5, 0.5, 0.0), (0.5, 0.3, 0.2), (0.45, 0.45, 0.1), (0.4, 0.3, 0.3)],
)
def test_three_classes_without_a_majority(p: tuple[float, ...]) -> None:
    procedure, every = small(THREE), paths(THREE, 3)
    decisions = [decide(procedure, path) for path in every]
    assert error(decisions, every, np.array(p), 0.0) <= ALPHA


def test_three_classes_with_a_majority() -> None:
    procedure, every = small(THREE), paths(THREE, 3)
    decisions = [decide(procedure, path) for path in every]
    for step in procedure.table.steps[1::8].tolist():
        p = stats.norm.cdf(step / 1e6)
        for share in (0.5, 0.9):
            shares = np.array([p, (1 - p) * share, (1 - p) * (1 - share)])
            assert error(decisions, every, shares, step / 1e6) <= ALPHA


def test_the_enumeration_can_fail() -> None:
    """Peeking: the class ahead is bounded at every look by Clopper-Pearson at alpha."""
    every = paths(TWO, 2)
    counts = np.cumsum(np.array(every), axis=1).max(axis=2)
    bounds = np.asarray(lower_confidence_bound(counts, np.array(TWO), ALPHA))
    claimed: npt.NDArray[np.bool_] = np.any(bounds >= 0.5, axis=1)
    assert probability_of(claimed, every, np.array([0.5, 0.5])) > 1.5 * ALPHA


@pytest.mark.slow
def test_giving_up_never_raises_the_error(monkeypatch: pytest.MonkeyPatch) -> None:
    spending = SETTINGS["fast"].spending
    monkeypatch.setitem(SETTINGS, "patient", Setting(spending, 0.0))
    monkeypatch.setitem(SETTINGS, "rash", Setting(spending, 0.4))
    every = paths(TWO, 2)
    patient, fast, rash = (
        [decide(small(TWO, setting=setting), path) for path in every]
        for setting in ("patient", "fast", "rash")
    )
    differ = 0
    for step in small(TWO).table.steps[::5].tolist():
        p = stats.norm.cdf(step / 1e6)
        shares = np.array([p, 1 - p])
        errors = [error(d, every, shares, step / 1e6) for d in (rash, fast, patient)]
        assert errors[0] <= errors[1] + 1e-15
        assert errors[1] <= errors[2] + 1e-15
        assert errors[2] <= ALPHA
        differ += errors[0] < errors[2]
    assert differ > 0


@pytest.mark.parametrize(("shares", "level"), [((0.5, 0.5), 0.0), ((0.34, 0.33, 0.33), 0.0)])
def test_simulated_error_without_a_majority(shares: tuple[float, ...], level: float) -> None:
    assert simulated_error(shares, level) <= 0.01 + 3 * 0.0005


@pytest.mark.parametrize("z", [0.01, 0.25, 1.0, 2.0, 3.0])
def test_simulated_error_at_a_radius(z: float) -> None:
    p = float(stats.norm.cdf(z))
    rate = simulated_error((p, 1 - p), z)
    assert rate <= 0.01 + 3 * 0.0005
    if 0.25 <= z <= 2:
        assert rate >= 0.97 * 0.01 - 4 * 0.0005


def simulated_error(shares: tuple[float, ...], radius: float, runs: int = 40_000) -> float:
    """Frequency, of standard error .0005, of false claims up to 100,000 samples at alpha = .01
    when nothing is ever given up."""
    procedure = TableCertify(SIGMA, (0.0, radius), alpha=0.01)
    table = procedure.table
    level = int(np.searchsorted(table.steps, round(radius * 1e6)))
    rng = np.random.default_rng(7)
    votes = np.zeros((runs, len(shares)), np.int64)
    false = np.zeros(runs, bool)
    for j, d in enumerate(np.diff((0, *table.looks)).tolist()):
        votes += rng.multinomial(d, shares, size=runs)
        false |= (votes[:, 1:] >= table.needed[j, 0]).any(axis=1)
        false |= votes[:, 0] >= table.needed[j, level]
    return float(false.mean())


def test_results_can_be_checked_from_count_and_n() -> None:
    procedure = TableCertify(0.25, (0.0, 0.25, 0.5), n=20_000, setting="fast")
    rng = np.random.default_rng(3)
    radii = set()
    for p in np.concatenate([rng.uniform(0.3, 1.0, 300), 1 - rng.uniform(0, 0.05, 100)]):
        counts = [rng.multinomial(d, (p, 1 - p)) for d in np.diff((0, *procedure.table.looks))]
        decision = decide(procedure, tuple(map(tuple, counts)))
        assert procedure.certifies(decision.count, decision.n) == (decision.predict != ABSTAIN)
        assert procedure.radius_of(decision.count, decision.n) == decision.radius
        assert decision.n <= decision.drawn <= procedure.max_samples
        assert decision.n0 == 0
        radii.add(decision.radius)
    assert len(radii) > 100  # the fine grid
    with pytest.raises(InputError, match="n 513 is not one of the looks"):
        procedure.radius_of(500, 513)


def test_a_path() -> None:
    """Certified at a look, then a count that would certify less: the claim stays."""
    procedure = small((100, 200, 300), radii=(0.0, 1.0), alpha=0.001)
    trial = procedure.trial()
    assert next(trial) == SampleRange(Purpose.ESTIMATION, 0, 100)
    assert trial.send(np.array([8, 90, 2])) == SampleRange(Purpose.ESTIMATION, 100, 100)
    with pytest.raises(StopIteration) as end:
        trial.send(np.array([30, 60, 10]))
    decision = end.value.value
    assert decision == Decision(1, procedure.radius_of(90, 100), 90, 100, 0, 200)
    assert decision.radius > procedure.radius_of(150, 200) > 0


def test_a_second_class_that_crosses_means_abstention() -> None:
    looks = (100, 1000, 2000)
    procedure = small(looks, radii=(0.0, 2.0), alpha=0.001)
    # Class 0 is certified and given up beyond; a class that crosses later is not seen.
    assert decide(procedure, ((80, 20), (0, 900))).predict == 0
    object.__setattr__(procedure, "futile", [[-1, -1]] * 3)
    decision = decide(procedure, ((80, 20), (0, 900)))
    assert decision == Decision(ABSTAIN, 0.0, 80, 1000, 0, 1000)
    assert not procedure.certifies(80, 1000)


def test_label_aware_trials_end_sooner_and_certify_the_same_labels() -> None:
    plain = TableCertify(0.25, (0.0, 0.25), n=20_000)
    aware = TableCertify(0.25, (0.0, 0.25), n=20_000, label_aware=True)
    rng = np.random.default_rng(5)
    saved = 0
    for p in rng.uniform(0.2, 1.0, 200):
        shares = (p, (1 - p) / 2, (1 - p) / 2)
        looks = np.diff((0, *plain.table.looks))
        path = tuple(tuple(rng.multinomial(d, shares).tolist()) for d in looks)
        for label in range(3):
            one, other = decide(plain, path, label), decide(aware, path, label)
            assert other.drawn <= one.drawn
            saved += one.drawn - other.drawn
            if other.predict == label:
                assert other == one
            assert aware.certifies(other.count, other.n) == (other.predict != ABSTAIN)
            if other.predict != ABSTAIN:
                assert aware.radius_of(other.count, other.n) == other.radius
    assert saved > 0
    assert decide(aware, ((500, 12),), label=7) == decide(aware, ((500, 12),), label=1)
    with pytest.raises(InputError, match="label"):
        next(aware.trial())


def test_votes_that_count_for_no_class() -> None:
    procedure = small(TWO)
    assert decide(procedure, ((0, 0), (0, 0), (0, 0), (0, 0))).predict == ABSTAIN


def test_describe_names_what_decides() -> None:
    one = TableCertify(0.25, (0.0, 0.5), n=2000)
    other = TableCertify(0.25, (0.0, 0.5), n=2000, total_variation=0.01)
    assert one.describe()["boundaries"] != other.describe()["boundaries"]
    assert one.describe()["looks"][-1] == 2000
    assert one.describe()["label_aware"] is False


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"n": 10}, "n 10 is too small ever to certify at alpha 0.001: expected at least 11"),
        ({"n": 10**7 + 1}, "n 10000001 is out of range: expected 1 <= n <= 10000000"),
        ({"alpha": 1e-17}, "alpha 1e-17 is out of range: expected 1e-12 <= alpha < 1"),
        ({"alpha": 1e-12, "n": 40}, "n 40 is too small .* expected at least 41"),
        ({"setting": "sloppy"}, "setting 'sloppy' is unknown: expected strict or fast"),
        ({"radii": ()}, "no radii"),
        (
            {"radii": tuple(i / 1000 for i in range(101)), "n": 10**7},
            "101 radii of n 10000000 take too long to plan: .* at most 1000000000$",
        ),
        ({"radii": (-1.0,)}, "radius -1.0"),
        ({"radii": (1.0, 2.0)}, "none of the radii 1.0, 2.0 can be certified .* is 0.9525"),
        ({"looks": (100, 50, 100_000)}, "looks"),
        ({"looks": (100,)}, "looks"),
        ({"looks": (0, 100_000)}, "looks"),
        ({"sigma": 0.0}, "sigma"),
    ],
)
def test_useless_settings_are_refused(arguments: dict[str, object], words: str) -> None:
    settings = {"sigma": 0.25, "radii": (0.0,), **arguments}
    with pytest.raises(InputError, match=words):
        TableCertify(**settings)  # type: ignore[arg-type]
