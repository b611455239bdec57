import numpy as np
import pytest

from smoothcert.engine.statistics.table import TableCertify
from smoothcert.engine.statistics.table_state import TableState
from smoothcert.engine.statistics.worth import worth

PROCEDURE = TableCertify(0.5, (0.0, 0.5), 20_000, budgeted=True)


def after(*votes: int) -> TableState:
    """A table with so many votes of two classes at each look."""
    state = PROCEDURE.state()
    for count in votes:
        state.take(np.array([count, state.wanted.count - count]))
    return state


def test_a_first_look_comes_before_all_else() -> None:
    assert worth(PROCEDURE.state()) == np.inf


def test_the_clearer_an_image_the_more_its_samples_are_worth() -> None:
    """Far above the last radius that is open, or far below the first, the next look decides."""
    near, clear = worth(after(262)), worth(after(300))
    assert 0 < near < clear
    assert worth(after(445)) > worth(after(435))


def test_all_that_is_open_is_decided_at_the_last_look() -> None:
    state = after(262)
    left = PROCEDURE.n - state.drawn
    assert worth(state) >= state.undecided / left
    assert worth(state) < 2 / (PROCEDURE.table.looks[1] - state.drawn)


@pytest.mark.parametrize(
    "counts", [(262, 250, 0), (262, 125, 125), (300, 212, 0), (430, 82, 0), (440, 30, 42)]
)
def test_it_is_close_to_what_is_simulated(counts: tuple[int, ...]) -> None:
    """Radii decided per sample by the best look; the class's probability from its posterior, the
    others in the proportion of their votes."""
    state = PROCEDURE.state()
    state.take(np.array(counts))
    before, parts = state.undecided, state.parts()
    rng, runs = np.random.default_rng(2), 300
    decided = np.zeros(len(PROCEDURE.table.looks))
    for _ in range(runs):
        p = rng.beta(counts[0] + 0.5, 512 - counts[0] + 0.5)
        others = (1 - p) * np.array(counts[1:]) / sum(counts[1:])
        going = PROCEDURE.state()
        going.resume(parts, 3)
        while not going.ended:
            going.take(rng.multinomial(going.wanted.count, (p, *others)))
            decided[going.looked - 1] += before - going.undecided
        decided[going.looked :] += before
    more = np.asarray(PROCEDURE.table.looks) - state.drawn
    best = (decided[1:] / runs / more[1:]).max()
    assert worth(state) == pytest.approx(best, rel=0.35)
