"""Table mode's paths against every path there is, and against trials of their own."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest
from trial_ends import decided, of_prefixes

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.noise.streams import Purpose
from smoothcert.engine.statistics.bounds import ABSTAIN
from smoothcert.engine.statistics.paths.base import Seen
from smoothcert.engine.statistics.paths.following import path_of
from smoothcert.engine.statistics.procedures import Counts, Decision
from smoothcert.engine.statistics.table import TableCertify

LOOKS = (8, 14, 20)
Prefix = tuple[Purpose, int]


def tiny(label_aware: bool) -> TableCertify:
    return TableCertify(
        0.5, (0.0, 0.1), LOOKS[-1], 0.2, "fast", looks=LOOKS, label_aware=label_aware
    )


def prefixes_of(looks: Sequence[int], counts: Iterable[Counts]) -> dict[Prefix, Counts]:
    return {(Purpose.ESTIMATION, n): c for n, c in zip(looks, counts, strict=True)}


def near(counts: Counts, n: int, tolerance: int) -> Iterator[Counts]:
    """All counts of n votes for two classes (some may vote for neither), so near to these."""
    each = [
        range(max(0, count - tolerance), min(n, count + tolerance) + 1) for count in counts.tolist()
    ]
    yield from (np.array(found) for found in itertools.product(*each) if sum(found) <= n)


def claims() -> Iterator[Decision]:
    table = tiny(False).table
    for predict, drawn in itertools.product((ABSTAIN, 0, 1), LOOKS):
        for n in LOOKS[: LOOKS.index(drawn) + 1]:
            for count in range(n + 1):
                level = table.level(LOOKS.index(n), count)
                if predict == ABSTAIN and n == drawn:
                    yield Decision(ABSTAIN, 0.0, count, n, 0, drawn)
                elif predict != ABSTAIN and level >= 0:
                    yield Decision(predict, table.radius(level), count, n, 0, drawn)


@pytest.mark.parametrize("label_aware", [False, True])
@pytest.mark.parametrize(
    "counted",
    [
        [[8, 0], [14, 0], [20, 0]],
        [[6, 2], [11, 3], [16, 4]],
        [[4, 4], [7, 7], [10, 10]],
        [[2, 6], [5, 9], [8, 12]],
        [[5, 3], [9, 4], [11, 9]],
        [[7, 1], [8, 6], [7, 13]],  # one class holds the radius, then another reaches it
    ],
)
def test_what_is_possible_is_what_some_counts_lead_to(
    counted: list[list[int]], label_aware: bool
) -> None:
    """Every path of counts within one vote at each look, whether or not its steps are positive."""
    procedure, path = tiny(label_aware), path_of(tiny(label_aware))
    prefixes = [np.array(counts) for counts in counted]
    seen = Seen(
        2,
        prefixes_of(LOOKS, prefixes),
        tolerance=lambda n: 1,
    )
    nearby = [list(near(c, n, 1)) for n, c in zip(LOOKS, prefixes, strict=True)]
    reached = {
        decided(procedure.trial(0), of_prefixes(prefixes_of(LOOKS, each)))
        for each in itertools.product(*nearby)
    }
    assert len(reached) > 2
    possible = {claim for claim in claims() if path.objection(claim, 0, seen) is None}
    assert possible == reached


@pytest.mark.parametrize("label_aware", [False, True])
@pytest.mark.parametrize("above", [0, 20, 40, 60])
def test_what_is_possible_where_every_level_needs_votes_of_its_own(
    above: int, label_aware: bool
) -> None:
    """The same of more samples, near what some level needs: one more vote is another radius."""
    looks = (60, 130, 200)
    procedure = TableCertify(
        0.5, (0.0, 0.1), 200, 0.2, "fast", looks=looks, label_aware=label_aware
    )
    table, path = procedure.table, path_of(procedure)
    for shift in ((0, 0, 0), (-1, 0, 1), (1, -1, -1), (-2, 1, 0)):
        votes = [int(table.needed[j, above]) + shift[j] for j in range(3)]
        prefixes = [np.array([k, n - k]) for k, n in zip(votes, looks, strict=True)]
        nearby = [list(near(c, n, 1)) for n, c in zip(looks, prefixes, strict=True)]
        reached = {
            decided(procedure.trial(0), of_prefixes(prefixes_of(looks, each)))
            for each in itertools.product(*nearby)
        }
        seen = Seen(2, prefixes_of(looks, prefixes), tolerance=lambda n: 1)
        every = {
            Decision(ABSTAIN, 0.0, count, n, 0, n) for n in looks for count in range(n + 1)
        } | {
            Decision(0, table.radius(level), count, n, 0, drawn)
            for j, n in enumerate(looks) for drawn in looks[j:]
            for count in range(votes[j] - 4, votes[j] + 5)
            if (level := table.level(j, count)) >= 0
        }  # fmt: skip
        of_zero = {claim for claim in reached if claim.predict in (ABSTAIN, 0)}
        assert {claim for claim in every if path.objection(claim, 0, seen) is None} == of_zero


@pytest.mark.parametrize("label_aware", [False, True])
@pytest.mark.parametrize(
    "counted",
    [
        [[35, 25], [75, 55], [125, 75]],
        [[40, 20], [86, 44], [132, 68]],
        [[33, 27], [74, 56], [118, 82]],
        [[31, 29], [62, 68], [95, 105]],
        [[45, 15], [80, 50], [115, 85]],
    ],
)
def test_what_a_budget_leaves_is_what_some_counts_lead_to(
    counted: list[list[int]], label_aware: bool
) -> None:
    """Trials that are ended at any look, or not at all: their ends, and no others, are possible."""
    looks = (60, 130, 200)
    procedure = TableCertify(
        0.5, (0.0, 0.1, 0.2), 200, 0.2, "fast", looks, label_aware, budgeted=True
    )
    table, path = procedure.table, path_of(procedure)
    prefixes = [np.array(counts) for counts in counted]
    seen = Seen(2, prefixes_of(looks, prefixes), tolerance=lambda n: 1)
    nearby = [list(near(c, n, 1)) for n, c in zip(looks, prefixes, strict=True)]
    reached = {
        decided(procedure.trial(0, until), of_prefixes(prefixes_of(looks, each)))
        for each in itertools.product(*nearby)
        for until in (*looks, None)
    }
    assert len({decision.undecided for decision in reached}) > 1
    assert all(path.objection(claim, 0, seen) is None for claim in reached)
    possible = set()
    for number, (j, n) in itertools.product(range(4), enumerate(looks)):
        for count in range(max(0, min(counted[j]) - 2), min(n, max(counted[j]) + 2) + 1):
            level = table.level(j, count)
            claims = [Decision(ABSTAIN, 0.0, count, n, 0, n, undecided=number)]
            if level >= 0:
                claims += [
                    Decision(top, table.radius(level), count, n, 0, drawn, undecided=number)
                    for top in (0, 1) for drawn in looks[j:]
                ]  # fmt: skip
            possible |= {claim for claim in claims if path.objection(claim, 0, seen) is None}
    assert possible == reached


def test_an_image_without_samples_leaves_all_radii_undecided() -> None:
    procedure = TableCertify(0.5, (0.0, 0.1, 9.0), 200, 0.2, looks=(60, 200), budgeted=True)
    path, claim = path_of(procedure), procedure.decision(procedure.state())
    assert claim == Decision(ABSTAIN, 0.0, 0, 0, 0, 0, undecided=2)  # 9 cannot be certified
    assert path.ranges(claim) == []
    assert path.objection(claim, 0, Seen(2)) is None
    for number in (1, 3):
        more = replace(claim, undecided=number)
        assert "radii are undecided" in str(path.objection(more, 0, Seen(2)))
    last = Decision(ABSTAIN, 0.0, 100, 200, 0, 200, undecided=1)
    assert path.objection(last, 0, Seen(2)) == "1 radii are undecided after the last look"


@pytest.mark.parametrize("label", [-1, 0, 1, 2, 9])
@pytest.mark.parametrize("label_aware", [False, True])
def test_counts_that_are_known_exactly_have_one_end(label_aware: bool, label: int) -> None:
    """Of a label that is no class of the network, too."""
    procedure, path = tiny(label_aware), path_of(tiny(label_aware))
    rng = np.random.default_rng(3)
    ends = set()
    for p in np.linspace(0.05, 1.0, 40):
        votes = rng.random(LOOKS[-1]) >= p
        prefixes = [np.bincount(votes[:n], minlength=2) for n in LOOKS]
        known = prefixes_of(LOOKS, prefixes)
        claim = decided(procedure.trial(label), of_prefixes(known))
        seen = Seen(2, known, lambda n: 0)
        assert {each for each in claims() if path.objection(each, label, seen) is None} == {claim}
        ends.add((claim.predict, claim.n, claim.drawn))
    assert len(ends) > (5 if label == 0 or not label_aware else 0)


@pytest.mark.parametrize("label_aware", [False, True])
def test_with_nothing_counted_every_end_of_a_trial_is_possible(label_aware: bool) -> None:
    procedure, path = tiny(label_aware), path_of(tiny(label_aware))
    every = [list(near(np.array([n // 2, n // 2]), n, n)) for n in LOOKS]
    rng = np.random.default_rng(0)
    reached = set()
    for _ in range(5000):
        counts = prefixes_of(LOOKS, [each[rng.integers(len(each))] for each in every])
        reached.add(decided(procedure.trial(0), of_prefixes(counts)))
    possible = {claim for claim in claims() if path.objection(claim, 0, Seen(2)) is None}
    assert reached <= possible
    assert possible < set(claims())


@pytest.mark.parametrize("label_aware", [False, True])
def test_trials_of_votes_that_turn_are_followed(label_aware: bool) -> None:
    """Real sizes: the trial sees counts that differ from those counted by up to the tolerance."""
    procedure = TableCertify(0.5, (0.0, 0.25, 0.75), 5000, label_aware=label_aware)
    path, rng = path_of(procedure), np.random.default_rng(1)
    looks = procedure.table.looks
    ends = set()
    for number in range(300):
        p = [0.5, 0.55, 0.75, 0.999][number % 4]
        votes = rng.choice(3, looks[-1], p=[p, 0.8 * (1 - p), 0.2 * (1 - p)])
        prefixes = [np.bincount(votes[:n], minlength=3) for n in looks]
        logged = []
        for counts in prefixes:
            turned = np.clip(rng.integers(-8, 9), -counts[1], counts[0])
            logged.append(counts + np.array([-turned, turned, 0]))
        claim = decided(procedure.trial(number % 3), of_prefixes(prefixes_of(looks, logged)))
        drawn = looks[: looks.index(claim.drawn) + 1]
        assert [r.first + r.count for r in path.ranges(claim)] == list(drawn)
        known = prefixes_of(looks, prefixes)
        assert path.objection(claim, number % 3, Seen(3, known, lambda n: 8)) is None
        ends.add((claim.predict, claim.n, claim.drawn))
    assert len(ends) > 15


def test_a_stop_too_early_and_one_too_late_are_refused() -> None:
    procedure = TableCertify(0.5, (0.0, 0.25, 0.75), 5000)
    path, looks = path_of(procedure), procedure.table.looks
    counts = {(Purpose.ESTIMATION, n): np.array([n - n // 20, n // 20]) for n in looks}
    seen = Seen(2, counts, lambda n: 3)
    level = procedure.table.level(0, 487)
    early = Decision(0, procedure.table.radius(level), 487, looks[0], 0, looks[0])
    assert "goes on" in str(path.objection(early, 0, seen))
    assert "goes on" in str(path.objection(early, 0, Seen(2)))
    sure = {(Purpose.ESTIMATION, n): np.array([n, 0]) for n in looks}
    level = procedure.table.level(3, looks[3])
    late = Decision(0, procedure.table.radius(level), looks[3], looks[3], 0, looks[3])
    assert "ends before" in str(path.objection(late, 0, Seen(2, sure, lambda n: 3)))


def test_a_radius_is_held_from_the_first_look_that_gives_it() -> None:
    """Votes that keep a level are no evidence for it a second time."""
    procedure = TableCertify(0.5, (0.0, 0.25, 0.75), 5000)
    table, path = procedure.table, path_of(procedure)
    first, second = table.looks[:2]
    assert table.level(0, 339) == table.level(1, 417) > 0
    counts = {(Purpose.ESTIMATION, n): np.array([n * 339 // 512, 512]) for n in table.looks}
    counts[Purpose.ESTIMATION, first] = np.array([339, first - 339])
    counts[Purpose.ESTIMATION, second] = np.array([417, second - 417])
    again = Decision(0, table.radius(table.level(1, 417)), 417, second, 0, second)
    found = path.objection(again, 0, Seen(2, counts, lambda n: 0))
    assert "holds a larger radius" in str(found)
    assert path.objection(again, 0, Seen(2)) is None
    once = decided(procedure.trial(), of_prefixes(counts))
    assert (once.count, once.n, once.drawn) == (339, first, second)
    assert path.objection(once, 0, Seen(2, counts, lambda n: 0)) is None


def test_votes_that_certify_nothing_are_no_certificate() -> None:
    table = tiny(False).table
    few = int(table.needed[-1, 0]) - 1
    objection = path_of(tiny(False)).objection(Decision(0, 0.0, few, 20, 0, 20), 0, Seen(2))
    assert objection == f"{few} of 20 certify no class"


@pytest.mark.parametrize(
    ("claim", "words"),
    [
        (Decision(0, 0.1, 8, 8, 1, 9), "n0 is 1: expected 0"),
        (Decision(0, 0.1, 8, 9, 0, 14), "n 9 is not one of the looks"),
        (Decision(0, 0.1, 8, 8, 0, 15), "drawn 15 is not one of the looks"),
        (Decision(ABSTAIN, 0.0, 4, 8, 0, 14), "n is 8: expected 14"),
    ],
)
def test_numbers_that_are_no_looks_are_refused(claim: Decision, words: str) -> None:
    with pytest.raises(InputError, match=f"^{words}"):
        path_of(tiny(False)).ranges(claim)
