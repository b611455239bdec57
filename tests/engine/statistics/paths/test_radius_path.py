"""Radius mode's paths against every path there is, and against trials of its own."""

import itertools
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from trial_ends import decided, of_prefixes

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.noise.streams import Purpose
from smoothcert.engine.statistics.bounds import ABSTAIN
from smoothcert.engine.statistics.paths.base import Seen
from smoothcert.engine.statistics.paths.following import path_of
from smoothcert.engine.statistics.procedures import Counts, Decision
from smoothcert.engine.statistics.radius import RadiusCertify

TINY = RadiusCertify(0.5, 300, 0.05, tolerance=0.2, pilot=20)
TINY_AWARE = RadiusCertify(0.5, 300, 0.05, tolerance=0.2, pilot=20, label_aware=True)
LOOKS = sorted({look for checks in TINY.checks.values() for look, _ in checks})


def counted(p: float, seed: int, pilot: int, looks: list[int]) -> dict[tuple[Purpose, int], Counts]:
    rng = np.random.default_rng(seed)
    votes = rng.choice(3, looks[-1], p=[p, 0.7 * (1 - p), 0.3 * (1 - p)])
    first = np.bincount(rng.choice(3, pilot, p=[p, 1 - p, 0]), minlength=3)
    return {(Purpose.PILOT, pilot): first} | {
        (Purpose.ESTIMATION, n): np.bincount(votes[:n], minlength=3) for n in looks
    }


@pytest.mark.parametrize("procedure", [TINY, TINY_AWARE])
@pytest.mark.parametrize("p", [0.5, 0.6, 0.9, 1.0])
def test_what_is_possible_is_what_some_counts_lead_to(procedure: RadiusCertify, p: float) -> None:
    """All counts of the class that leads within one vote of those counted, at every look."""
    path, known = path_of(procedure), counted(p, 5, 20, LOOKS)
    reached = set()
    for moves in itertools.product((-1, 0, 1), repeat=len(LOOKS) + 2):
        told = {key: counts.copy() for key, counts in known.items()}
        told[Purpose.PILOT, 20][:2] += moves[:2]
        for look, move in zip(LOOKS, moves[2:], strict=True):
            told[Purpose.ESTIMATION, look][0] += move
        if all((counts >= 0).all() and counts[:2].max() <= n for (_, n), counts in told.items()):
            reached.add(decided(procedure.trial(0), of_prefixes(told)))
    seen = Seen(3, known, lambda n: 1)
    assert all(path.objection(claim, 0, seen) is None for claim in reached)
    possible = {claim for claim in claims(procedure) if path.objection(claim, 0, seen) is None}
    assert possible == reached


@pytest.mark.parametrize("procedure", [TINY, TINY_AWARE])
def test_just_too_few_votes_at_a_look_are_the_end(procedure: RadiusCertify) -> None:
    """And of those at a look, the most that are too few are."""
    path, ends = path_of(procedure), set()
    for seed, p in enumerate(np.linspace(0.5, 0.9, 10)):
        known = counted(p, seed, 20, LOOKS)
        size = procedure.planned(int(known[Purpose.PILOT, 20].max()))
        for look, few in procedure.checks.get(size, [])[:-1]:
            for votes in (few, few + 1):
                known[Purpose.ESTIMATION, look] = np.array([votes, look - votes, 0])
                claim = decided(procedure.trial(0), of_prefixes(known))
                seen = Seen(3, known, lambda n: 0)
                possible = {c for c in claims(procedure) if path.objection(c, 0, seen) is None}
                assert possible == {claim}
                ends.add((claim.predict, claim.n))
    assert len(ends) > 2


TINY_TWO = RadiusCertify(0.5, 300, 0.05, tolerance=0.2, pilot=20, bound="two-class")
FEW_LOOKS = sorted({look for size in TINY_TWO.plan.sizes for look in TINY_TWO.looks(size)})


@pytest.mark.parametrize("p", [0.35, 0.5, 0.9])
def test_two_classes_end_as_some_counts_lead_to(p: float) -> None:
    """All counts of the two largest classes within one vote of those counted, at every look; and
    of ends that no counts lead to, those with one vote more than may be."""
    path, known = path_of(TINY_TWO), counted(p, 5, 20, FEW_LOOKS)
    near = [np.array([*moves, 0]) for moves in itertools.product((-1, 0, 1), repeat=2)]
    reached = set()
    for pilot in (known[Purpose.PILOT, 20] + move for move in near):
        top = int(np.argmax(pilot))
        if pilot.min() < 0 or pilot.sum() > 20:
            continue
        size = TINY_TWO.planned(int(pilot[top]), int(np.delete(pilot, top).max()))
        for moves in itertools.product(near, repeat=3 if size else 0):
            told = {key: counts.copy() for key, counts in known.items()}
            told[Purpose.PILOT, 20] = pilot
            for look, move in zip(TINY_TWO.looks(size), moves, strict=False):
                told[Purpose.ESTIMATION, look] += move
            if all(counts.min() >= 0 and counts.sum() <= n for (_, n), counts in told.items()):
                reached.add(decided(TINY_TWO.trial(0), of_prefixes(told)))
    seen = Seen(3, known, lambda n: 1)
    assert all(path.objection(claim, 0, seen) is None for claim in reached)
    assert all(path.objection(claim, 0, Seen(3)) is None for claim in reached)
    for claim in reached:
        if claim.n:
            high = known[Purpose.ESTIMATION, claim.n] + 1
            more = replace(claim, runner_up=int(high.max()) + 1)
            assert path.objection(more, 0, seen) is not None
            more = replace(claim, count=int(high.max()) + 1)
            assert path.objection(more, 0, seen) is not None


@cache
def claims(procedure: RadiusCertify) -> list[Decision]:
    found = [Decision(ABSTAIN, 0.0, 0, 0, 20, 20)]
    for n in LOOKS:
        for count in range(n + 1):
            found.append(Decision(ABSTAIN, 0.0, count, n, 20, 20 + n))
            if n in procedure.plan.sizes:
                radius = procedure.radius_of(count, n)
                found += [Decision(top, radius, count, n, 20, 20 + n) for top in range(3)]
    return found


def test_trials_of_votes_that_turn_are_followed() -> None:
    procedure = RadiusCertify(0.5, 5000, tolerance=0.1)
    path, ends = path_of(procedure), set()
    looks = sorted({look for checks in procedure.checks.values() for look, _ in checks})
    rng = np.random.default_rng(0)
    for number in range(200):
        known = counted([0.5, 0.52, 0.55, 0.7, 0.8, 0.99][number % 6], number, 500, looks)
        told = {}
        for key, counts in known.items():
            turned = np.clip(rng.integers(-3, 4), -counts[1], counts[0])
            told[key] = counts + np.array([-turned, turned, 0])
        claim = decided(procedure.trial(0), of_prefixes(told))
        drawn = {(each.purpose, each.first + each.count) for each in path.ranges(claim)}
        assert drawn <= set(known)
        seen = Seen(3, {key: known[key] for key in drawn}, lambda n: 3)
        assert path.objection(claim, 0, seen) is None
        assert path.objection(claim, 0, Seen(3)) is None
        ends.add((claim.predict, claim.n))
    assert len(ends) > 6


def test_a_size_that_the_pilot_does_not_plan_is_refused() -> None:
    """A larger n gives a larger radius of the same share of votes."""
    procedure = RadiusCertify(0.5, 5000, tolerance=0.05)
    looks = sorted({look for checks in procedure.checks.values() for look, _ in checks})
    known = counted(0.8, 0, 500, looks)
    honest = decided(procedure.trial(0), of_prefixes(known))
    path, seen = path_of(procedure), Seen(3, known, lambda n: max(3, n // 500))
    assert path.objection(honest, 0, seen) is None
    assert honest.n < 5000
    count = int(known[Purpose.ESTIMATION, 5000][0])
    forged = Decision(0, procedure.radius_of(count, 5000), count, 5000, 500, 5500)
    assert forged.radius > honest.radius
    assert path.objection(forged, 0, Seen(3)) is None
    assert f"plans {honest.n}" in str(path.objection(forged, 0, seen))


@pytest.mark.parametrize(
    "claim",
    [
        Decision(0, 0.1, 8, 300, 21, 320),
        Decision(0, 0.1, 8, 300, 20, 319),
        Decision(0, 0.1, 8, 299, 20, 319),
        Decision(0, 0.1, 0, 0, 20, 20),
    ],
)
def test_numbers_that_end_no_trial_are_refused(claim: Decision) -> None:
    with pytest.raises(InputError, match=r"n0 is 21|drawn is 319|n 299 is no|n 0 is no"):
        path_of(TINY).ranges(claim)


@pytest.mark.parametrize("label", [0, 1, 2])
def test_with_nothing_counted_a_class_that_was_given_up_is_possible(label: int) -> None:
    told = {(Purpose.ESTIMATION, n): np.zeros(3, np.int64) for n in LOOKS}
    told[Purpose.PILOT, 20] = np.eye(3, dtype=np.int64)[label] * 20
    for procedure in (TINY, TINY_AWARE):
        claim = decided(procedure.trial(label), of_prefixes(told))
        assert claim.predict == ABSTAIN
        assert claim.n > 0
        assert path_of(procedure).objection(claim, label, Seen(3)) is None


def test_a_pilot_that_plans_nothing_ends_with_no_votes() -> None:
    path = path_of(TINY)
    known = {(Purpose.PILOT, 20): np.array([4, 4, 3])}  # the others voted for no class
    claim = decided(TINY.trial(0), of_prefixes(known))
    assert claim == Decision(ABSTAIN, 0.0, 0, 0, 20, 20)
    for seen in (Seen(3), Seen(3, known, lambda n: 0)):
        assert path.objection(claim, 0, seen) is None
        assert path.objection(replace(claim, count=1), 0, seen) is not None


def test_counts_that_are_known_exactly_have_one_end() -> None:
    for procedure, number in itertools.product((TINY, TINY_AWARE), range(12)):
        known = counted([0.5, 0.7, 0.9, 1.0][number % 4], number, 20, LOOKS)
        claim = decided(procedure.trial(0), of_prefixes(known))
        path, seen = path_of(procedure), Seen(3, known, lambda n: 0)
        assert [each for each in claims(procedure) if not path.objection(each, 0, seen)] == [claim]
