"""Paths of the procedures that look once, and of transfers, against every path there is."""

import itertools
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from trial_ends import decided, of_prefixes

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.noise.streams import Purpose
from smoothcert.engine.statistics.bounds import ABSTAIN
from smoothcert.engine.statistics.paths.base import Seen, may_lead
from smoothcert.engine.statistics.paths.following import PATHS, path_of
from smoothcert.engine.statistics.procedures import (
    Counts,
    Decision,
    FixedCertify,
    Predict,
    Procedure,
)
from smoothcert.engine.statistics.recorded import PROCEDURES
from smoothcert.engine.statistics.transfer import TransferCertify

FIXED = FixedCertify(0.5, 6, 12, 0.1)
PREDICT = Predict(12, 0.1)


def near(counts: list[int], n: int) -> Iterator[Counts]:
    """All counts of n votes within one vote of these."""
    each = [range(max(0, count - 1), min(n, count + 1) + 1) for count in counts]
    yield from (np.array(found) for found in itertools.product(*each) if sum(found) <= n)


def test_every_recorded_procedure_has_its_paths() -> None:
    assert set(PATHS) == set(PROCEDURES.values())


COUNTED = [
    ([6, 0, 0], [12, 0, 0]),
    ([2, 3, 1], [4, 7, 1]),
    ([3, 3, 0], [1, 10, 1]),
    ([2, 2, 2], [4] * 3),
]


@pytest.mark.parametrize(("selection", "estimation"), COUNTED)
def test_certify(selection: list[int], estimation: list[int]) -> None:
    known = {
        (Purpose.SELECTION, 6): np.array(selection),
        (Purpose.ESTIMATION, 12): np.array(estimation),
    }
    reached = {
        decided(
            FIXED.trial(), of_prefixes({(Purpose.SELECTION, 6): a, (Purpose.ESTIMATION, 12): b})
        )
        for a, b in itertools.product(near(selection, 6), near(estimation, 12))
    }
    claims = [
        Decision(predict, FIXED.radius_of(count, 12), count, 12, 6, 18)
        for predict, count in itertools.product((ABSTAIN, 0, 1, 2), range(13))
        if predict == ABSTAIN or FIXED.certifies(count, 12)
    ]
    seen = Seen(3, known, lambda n: 1)
    possible = {c for c in claims if path_of(FIXED).objection(c, 0, seen) is None}
    assert possible == reached
    assert {c for c in claims if path_of(FIXED).objection(c, 0, Seen(3)) is None} == {
        c for c in claims if (c.predict == ABSTAIN) != FIXED.certifies(c.count, 12)
    }


TWO_CLASS = FixedCertify(0.5, 6, 12, 0.1, bound="two-class")


@pytest.mark.parametrize(("selection", "estimation"), [*COUNTED, ([2, 2, 2], [9, 2, 1])])
def test_certify_with_a_two_class_bound(selection: list[int], estimation: list[int]) -> None:
    known = {
        (Purpose.SELECTION, 6): np.array(selection),
        (Purpose.ESTIMATION, 12): np.array(estimation),
    }
    reached = {
        decided(
            TWO_CLASS.trial(), of_prefixes({(Purpose.SELECTION, 6): a, (Purpose.ESTIMATION, 12): b})
        )
        for a, b in itertools.product(near(selection, 6), near(estimation, 12))
    }
    claims = []
    for predict, count, other in itertools.product((ABSTAIN, 0, 1, 2), range(13), range(13)):
        may_name = count + other <= 12 and TWO_CLASS.certifies(count, 12, other)
        if count + other <= 12 and may_name == (predict != ABSTAIN):
            radius = TWO_CLASS.radius_of(count, 12, other)
            claims.append(Decision(predict, radius, count, 12, 6, 18, runner_up=other))
    seen, path = Seen(3, known, lambda n: 1), path_of(TWO_CLASS)
    assert {c for c in claims if path.objection(c, 0, seen) is None} == reached
    assert all(path.objection(c, 0, Seen(3)) is None for c in claims)
    certified = next(c for c in claims if c.predict != ABSTAIN)
    abstained = replace(certified, predict=ABSTAIN, radius=0.0)
    assert "abstains, where" in str(path.objection(abstained, 0, Seen(3)))


@pytest.mark.parametrize("votes", [[12, 0, 0], [1, 10, 1], [6, 5, 1], [4, 4, 4], [2, 9, 1]])
def test_predict(votes: list[int]) -> None:
    reached = {
        decided(PREDICT.trial(), of_prefixes({(Purpose.PREDICTION, 12): told}))
        for told in near(votes, 12)
    }
    claims = {
        Decision(predict, 0.0, count, 12, 0, 12)
        for predict, count in itertools.product((ABSTAIN, 0, 1, 2), range(13))
    }
    seen = Seen(3, {(Purpose.PREDICTION, 12): np.array(votes)}, lambda n: 1)
    possible = {c for c in claims if path_of(PREDICT).objection(c, 0, seen) is None}
    assert possible == reached
    # What is not possible is said in words.
    path = path_of(PREDICT)
    said = path.objection(Decision(2, 0.0, 12, 12, 0, 12), 0, seen)
    assert said == "the votes do not predict class 2 with 12 of 12 for the first class"
    said = path.objection(Decision(ABSTAIN, 0.0, 0, 12, 0, 12), 0, seen)
    assert said == "the votes do not abstain with 0 of 12 for the first class"


def test_the_only_class_of_a_network_is_predicted() -> None:
    known = {(Purpose.PREDICTION, 12): np.array([12])}
    claim = decided(PREDICT.trial(), of_prefixes(known))
    assert claim.predict == 0
    assert path_of(PREDICT).objection(claim, 0, Seen(1, known)) is None
    assert path_of(PREDICT).objection(claim, 0, Seen(1)) is None
    few = Decision(0, 0.0, 2, 12, 0, 12)
    seen = Seen(1, {(Purpose.PREDICTION, 12): np.array([2])})
    assert path_of(PREDICT).objection(few, 0, seen) is not None


def test_votes_for_no_class_leave_the_second_none() -> None:
    """5 of 12 for one class and the rest for none: 2 * 2^-5 is below alpha .1; 4 are too few."""
    for first, predicted in ((5, 0), (4, ABSTAIN)):
        known = {(Purpose.PREDICTION, 12): np.array([first, 0, 0])}
        claim = decided(PREDICT.trial(), of_prefixes(known))
        assert (claim.predict, claim.count) == (predicted, first)
        assert path_of(PREDICT).objection(claim, 0, Seen(3, known)) is None


def test_a_transfer_goes_on_where_the_fast_model_ended() -> None:
    procedure = TransferCertify(FIXED, 0.5, 20, 0.1)
    known = {
        (Purpose.SELECTION, 6): np.array([6, 0, 0, 0]),
        (Purpose.ESTIMATION, 12): np.array([12, 0, 0, 0]),
        (Purpose.DISAGREEMENT, 20): np.array([15, 0, 5, 0]),
    }
    claim = decided(procedure.trial(), of_prefixes(known))
    assert claim.transfer is not None
    path = path_of(procedure)
    asked = [Purpose.SELECTION, Purpose.ESTIMATION, Purpose.DISAGREEMENT]
    assert [each.purpose for each in path.ranges(claim)] == asked
    for losses in range(21):
        moved = replace(claim, transfer=replace(claim.transfer, losses=losses))
        objection = path.objection(moved, 0, Seen(2, known, lambda n: 2))
        assert (objection is None) == (3 <= losses <= 7)
        assert path.objection(moved, 0, Seen(2)) is None
    with pytest.raises(InputError, match="drawn is 17"):
        path.ranges(replace(claim, drawn=37))
    # What the fast model's votes forbid is no transfer either.
    other = {**known, (Purpose.SELECTION, 6): np.array([0, 6, 0, 0])}
    assert path.objection(claim, 0, Seen(2, other)) is not None


def test_who_may_lead() -> None:
    def bounds(*each: tuple[int, int]) -> list[bool]:
        low, high = zip(*each, strict=True)
        leads: list[bool] = may_lead(np.array(low), np.array(high)).tolist()
        return leads

    assert bounds((5, 5), (5, 5), (1, 4)) == [True, False, False]
    assert bounds((4, 5), (5, 5), (1, 6)) == [True, True, True]
    assert bounds((7, 9), (5, 7), (1, 8)) == [True, False, True]
    assert bounds((3, 3)) == [True]


def test_who_may_lead_of_all_bounds_on_three_counts() -> None:
    """Against every count within them; of equal ones the first class leads."""
    ranges = [(low, high) for low in range(3) for high in range(low, 3)]
    for each in itertools.product(ranges, repeat=3):
        counts = itertools.product(*(range(low, high + 1) for low, high in each))
        leaders = {int(np.argmax(votes)) for votes in counts}
        low, high = (np.array(bound) for bound in zip(*each, strict=True))
        assert set(np.flatnonzero(may_lead(low, high))) == leaders, each


PREDICTED = Decision(0, 0.0, 12, 12, 0, 12)


def test_ranges_are_those_that_a_trial_asks_for() -> None:
    certified = Decision(0, 0.1, 12, 12, 6, 18)
    selection, estimation = (Purpose.SELECTION, 0, 6), (Purpose.ESTIMATION, 0, 12)
    assert ranges(FIXED, certified) == [selection, estimation]
    assert ranges(PREDICT, PREDICTED) == [(Purpose.PREDICTION, 0, 12)]
    transfer = TransferCertify(FIXED, 0.5, 20, 0.1)
    paired = (Purpose.DISAGREEMENT, 0, 20)
    assert ranges(transfer, replace(certified, drawn=38)) == [selection, estimation, paired]
    abstained = replace(certified, predict=ABSTAIN, radius=0.0)
    assert ranges(transfer, abstained) == [selection, estimation]


def ranges(procedure: Procedure, claim: Decision) -> list[tuple[Purpose, int, int]]:
    found = path_of(procedure).ranges(claim)
    return [(each.purpose, each.first, each.count) for each in found]


@pytest.mark.parametrize(
    ("claim", "words"),
    [
        (replace(PREDICTED, n0=1), "^n0 is 1: expected 0"),
        (replace(PREDICTED, n=13), "^n is 13: expected 12"),
        (replace(PREDICTED, drawn=13), "^drawn is 13: expected 12"),
    ],
)
def test_numbers_that_are_not_predicts_are_refused(claim: Decision, words: str) -> None:
    with pytest.raises(InputError, match=words):
        path_of(PREDICT).ranges(claim)


@pytest.mark.parametrize(
    ("claim", "words"),
    [
        (Decision(0, 0.1, 9, 12, 5, 17), "^n0 is 5: expected 6"),
        (Decision(0, 0.1, 9, 13, 6, 19), "^n is 13: expected 12"),
        (Decision(0, 0.1, 9, 12, 6, 19), "^drawn is 19: expected 18"),
    ],
)
def test_numbers_that_are_not_certifys_are_refused(claim: Decision, words: str) -> None:
    with pytest.raises(InputError, match=words):
        path_of(FIXED).ranges(claim)
