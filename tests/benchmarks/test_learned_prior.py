"""The bets of a learned prior keep alpha, and know nothing of their own image."""

import mpmath
import numpy as np
import pytest
from learned_prior import OFFSETS, Floats, Ints, Prior, Rule, learned, plan, replay, thresholds
from scipy import special

from smoothcert.engine.statistics.sequential import crossing_probability, looks_until

Z = np.concatenate([np.linspace(-0.5, 3.5, 60), [0.2, 1.1, 1.11, 4.2]])
LEVELS = np.array([0.0, 1.0, 3.0])
LOOKS = looks_until(20_000)


def rule(prior: Prior, last: float = 0.0) -> Rule:
    return Rule(LOOKS, 0.006, prior, last)


@pytest.mark.parametrize("prior", list(Prior))
@pytest.mark.parametrize("last", [0.0, 0.75])
def test_every_prior_keeps_alpha_at_every_level(prior: Prior, last: float) -> None:
    alpha = 0.01
    needed, _ = plan(rule(prior, last), Z, LEVELS, alpha)
    for g, level in enumerate(LEVELS):
        for boundary in np.unique(needed[:, g], axis=0):
            null = float(special.ndtr(-level))
            error = crossing_probability(null, LOOKS, boundary)
            assert error <= alpha
            # A bet on what is rare may never win.
            assert prior in (Prior.KNOWN, Prior.KNOWN_END) or error > alpha / 50


def test_alpha_holds_when_every_sample_is_a_look() -> None:
    looks = range(1, 1501)
    for level in (0.0, 1.3):
        weights, _ = learned(Z, level)
        for boundary in thresholds(OFFSETS, weights[[0, -1]], level, looks, 0.05):
            assert 0.01 < crossing_probability(special.ndtr(-level), looks, boundary) <= 0.05


def evidence(weights: Floats, level: float, votes: int, n: int) -> mpmath.mpf:
    """E with 60 digits."""
    with mpmath.workdps(60):
        null = mpmath.ncdf(level)
        total = mpmath.mpf(0)
        for weight, offset in zip(weights.tolist(), OFFSETS.tolist(), strict=True):
            p = mpmath.ncdf(mpmath.mpf(level) + mpmath.mpf(offset))
            total += weight * (p / null) ** votes * ((1 - p) / (1 - null)) ** (n - votes)
        return total


@pytest.mark.parametrize("level", [0.0, 1.0, 3.0])
def test_needed_votes_are_the_fewest_of_enough_evidence(level: float) -> None:
    weights, _ = learned(Z, level)
    looks = (30, 512, 6000, 100_000)
    needed = thresholds(OFFSETS, weights[3:4], level, looks, 0.001)[0]
    for n, votes in zip(looks, needed.tolist(), strict=True):
        assert evidence(weights[3], level, votes - 1, n) < 1000
        assert votes == n + 1 or evidence(weights[3], level, votes, n) >= 1000
    assert needed[-1] < looks[-1]
    assert np.all(np.diff(needed) >= 0)
    assert np.all(np.diff(needed) <= np.diff(looks))


def test_evidence_ascends_with_votes() -> None:
    weights, _ = learned(Z, 0.5)
    found = [evidence(weights[0], 0.5, votes, 200) for votes in range(0, 201, 5)]
    assert found == sorted(found)
    assert found[0] < found[-1]


@pytest.mark.parametrize("prior", [Prior.BROAD, Prior.LEARNED])
def test_an_image_leaves_its_own_thresholds_alone(prior: Prior) -> None:
    before = plan(rule(prior), Z, LEVELS, 0.001)
    for image, other in ((5, 3.3), (40, -0.2), (63, 1.5)):
        changed = Z.copy()
        changed[image] = other
        after = plan(rule(prior), changed, LEVELS, 0.001)
        for had, has in zip(before, after, strict=True):
            np.testing.assert_array_equal(had[image], has[image])
        assert np.array_equal(before[0], after[0]) == (prior is Prior.BROAD)


def test_a_prior_is_what_the_other_images_say() -> None:
    weights, which = learned(np.array([1.5, 1.5, 1.5, 0.2]), 1.0)
    np.testing.assert_allclose(weights.sum(axis=1), 1.0)
    assert which[0] == which[1] == which[2] != which[3]
    assert abs(OFFSETS[weights[which[0]].argmax()] - 0.5) < 0.025
    # One image above the level: without it nothing is known.
    weights, which = learned(np.array([1.5, 0.2, 0.1]), 1.0)
    assert np.ptp(weights[which[0]]) < 0.3 * np.ptp(weights[which[1]])


def replayed(prior: Prior, z: Floats) -> tuple[Ints, Ints, Ints]:
    needed, futile = plan(rule(prior), z, LEVELS, 0.001)
    p = np.tile(special.ndtr(z), (40, 1))
    return replay(needed, futile, LOOKS, p, np.random.default_rng(1))


def test_replay_of_far_inputs() -> None:
    z = np.array([-0.5, 0.5, 2.0, 4.5])
    passed, used, votes = replayed(Prior.LEARNED, z)
    assert np.all(passed == [0, 1, 2, 3])
    assert np.all(used[:, 0] == LOOKS[0])
    assert set(used.ravel()) <= set(LOOKS)
    np.testing.assert_allclose(votes / used, np.tile(special.ndtr(z), (40, 1)), atol=0.1)


def test_what_is_known_saves_samples() -> None:
    learned_, known, ending = (
        replayed(prior, Z)[1].mean() for prior in (Prior.LEARNED, Prior.KNOWN, Prior.KNOWN_END)
    )
    assert ending < known < learned_
