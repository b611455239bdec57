from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import pytest
from confidence_sequences import Ints, betting, replay, union_bound
from scipy import special

from smoothcert.engine.statistics.sequential import crossing_probability

Sequence: TypeAlias = Callable[[int, float, float], tuple[Ints, Ints]]

SEQUENCES = pytest.mark.parametrize("sequence", [betting, union_bound])


@SEQUENCES
@pytest.mark.parametrize("p", [0.5, 0.84])
def test_each_side_errs_at_most_half_of_alpha(sequence: Sequence, p: float) -> None:
    n, alpha = 2000, 0.05
    certify, give_up = sequence(n, p, alpha)
    looks = range(1, n + 1)
    assert 0 < crossing_probability(1 - p, looks, certify[1:]) <= alpha / 2
    against = np.arange(1, n + 1) - give_up[1:]
    assert 0 < crossing_probability(p, looks, against) <= alpha / 2


def test_betting_is_the_krichevsky_trofimov_mixture() -> None:
    certify, _ = betting(1000, 0.7, 0.001)
    for n in (40, 500, 1000):
        k = np.array([certify[n] - 1, certify[n]])
        wealth = special.betaln(k + 0.5, n - k + 0.5) - special.betaln(0.5, 0.5)
        wealth -= k * np.log(0.7) + (n - k) * np.log(0.3)
        assert wealth[0] < np.log(2000) <= wealth[1]


@SEQUENCES
def test_replay(sequence: Sequence) -> None:
    pairs = [sequence(5000, p, 0.001) for p in (0.5, 0.9)]
    certify, give_up = map(np.stack, zip(*pairs, strict=True))
    passed, used = replay(certify, give_up, np.array([0.2, 0.7, 0.99, 0.9]), 1)
    assert passed[:3].tolist() == [0, 1, 2]
    assert used[3] > max(used[:3])
