"""A table between its looks: left and gone on with, it ends as one that was not left."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from smoothcert.engine.statistics.bounds import ABSTAIN
from smoothcert.engine.statistics.table import TableCertify
from smoothcert.engine.statistics.table_state import TableState

PROCEDURE = TableCertify(0.5, (0.0, 0.25, 0.5), 20_000, budgeted=True)
SHARES = [(0.5, 0.45, 0.05), (0.9, 0.06, 0.04), (0.52, 0.48, 0.0), (0.7, 0.2, 0.1)]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMOOTHCERT_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize("label_aware", [False, True])
@pytest.mark.parametrize("shares", SHARES)
def test_a_table_that_is_left_at_every_look_ends_the_same(
    shares: tuple[float, ...], label_aware: bool
) -> None:
    procedure = TableCertify(0.5, (0.0, 0.25, 0.5), 20_000, label_aware=label_aware, budgeted=True)
    rng = np.random.default_rng(4)
    for _ in range(20):
        whole, left = procedure.state(0), procedure.state(0)
        while not whole.ended:
            new = rng.multinomial(whole.wanted.count, shares)
            assert left.wanted == whole.wanted
            whole.take(new)
            left.take(new)
            assert procedure.decision(left) == procedure.decision(whole)
            if not left.ended:
                parts = json.loads(json.dumps(left.parts()))
                left = procedure.state(0)
                left.resume(parts, len(shares))
        assert left.ended
        assert procedure.decision(whole).undecided == 0


def test_fewer_radii_are_undecided_from_look_to_look() -> None:
    """Those that are certified or given up stay so, until the trial goes on for a smaller one."""
    rng = np.random.default_rng(1)
    state = PROCEDURE.state()
    assert state.undecided == 3
    found = []
    while not state.ended:
        state.take(rng.multinomial(state.wanted.count, (0.53, 0.47)))
        found.append(state.undecided)
    assert found[-1] == 0
    assert max(found[:-1]) <= 3
    assert min(found[:-1]) >= 1


def test_what_is_certified_holds_wherever_sampling_stops() -> None:
    """Exactly: the chance to be certified falsely at any look is at most alpha, of a class at 1/2
    and of one at the limit of a radius; what stops sampling in between has no part in it."""
    procedure = TableCertify(0.5, (0.0, 0.25), 300, 0.1, "fast", (60, 150, 300), budgeted=True)
    for level, p in ((0, 0.5), (int(procedure.asked[1]), stats.norm.cdf(0.5))):
        alive = {0: 1.0}  # votes of paths that have not been certified falsely
        false, before = 0.0, 0
        for j, look in enumerate(procedure.table.looks):
            after: dict[int, float] = {}
            for votes, chance in alive.items():
                for more in range(look - before + 1):
                    at = after.get(votes + more, 0.0)
                    after[votes + more] = at + chance * stats.binom.pmf(more, look - before, p)
            needed = int(procedure.table.needed[j, level])
            false += sum(chance for votes, chance in after.items() if votes >= needed)
            alive = {votes: chance for votes, chance in after.items() if votes < needed}
            before = look
        assert 0.01 < false <= 0.1


@pytest.mark.parametrize(
    "change",
    [
        {"looks": 0},
        {"looks": 99},
        {"looks": "1"},
        {"votes": [[3, 5]]},
        {"votes": [[0, -1]]},
        {"votes": [[0, 10**30]]},
        {"votes": [[0, 500], [1, 500]]},
        {"votes": 7},
        {"votes": [[0, 5, 1]]},
        {"holder": 9, "evidence": [400, 512]},
        {"holder": 0, "evidence": [600, 512]},
        {"holder": 0, "evidence": [1, 512]},
        {"holder": 0, "evidence": [400, 513]},
        {"holder": 0},
        {"votes": [[0, 10]]},
    ],
)
def test_parts_of_no_open_table_are_refused(change: dict[str, Any]) -> None:
    state = PROCEDURE.state()
    state.take(np.array([290, 212, 10]))
    assert not state.ended
    parts = {**state.parts(), **change}
    with pytest.raises((ValueError, TypeError, KeyError, IndexError, OverflowError)):
        PROCEDURE.state().resume(parts, 3)


def test_a_state_goes_on_with_its_holder() -> None:
    state = PROCEDURE.state()
    state.take(np.array([380, 100, 32]))
    assert state.passed == 1
    again: TableState = PROCEDURE.state()
    again.resume(state.parts(), 3)
    assert again.decision() == state.decision()
    assert again.decision().predict == 0
    assert PROCEDURE.state().decision().predict == ABSTAIN
