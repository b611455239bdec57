"""What further samples of an image are worth under a budget: how many radii they may decide.

An order of work and no more: what is certified does not depend on it, since an image's boundaries
hold at its own looks, however many of them come and whatever decides which come next.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special

from smoothcert.engine.statistics.sequential import Floats
from smoothcert.engine.statistics.table_state import TableState, hoped_for


def worth(state: TableState) -> float:
    """The most radii decided per sample, over all looks at which sampling may stop.

    Expected of the votes at a look is what a beta-binomial law says of them that starts from the
    votes so far and half a vote either way; it is taken to be normal. Of an image that has no
    votes yet it is infinite: a pilot of all images comes first. Expects a state that has not
    ended.
    """
    j, n = state.looked, state.drawn
    if j == 0:
        return np.inf
    looks = np.asarray(state.table.looks[j:], np.float64)[:, None]
    passed = state.passed
    open_radii = slice(passed, max(passed + 1, hoped_for(state.futile[j - 1], state.votes)))
    more = looks - n
    a, b = state.votes + 0.5, n - state.votes + 0.5
    total = a + b
    mean = state.votes + more * a / total
    variance = more * a * b * (total + more) / (total**2 * (total + 1.0))
    deviation = np.sqrt(variance)

    def at_most(votes: npt.NDArray[Any]) -> Floats:
        chance: Floats = special.ndtr((votes + 0.5 - mean) / deviation)
        return chance

    needed = state.table.needed[j:, state.asked[open_radii]]
    futile = np.asarray(state.futile[j:])[:, open_radii]
    decided = 1.0 - at_most(needed - 1.0) + at_most(futile)
    if state.any_class:
        # The next class keeps its share of the other votes: it may reach a radius too, and while it
        # has more than are futile, nothing is given up.
        share = max(state.runner_up, 0.5) / max(n - state.votes, 1)
        other = at_most(looks - needed / share)
        kept = at_most(np.minimum(looks - futile / share - 1.0, futile))
        decided += other - kept
    decided = np.clip(decided, 0.0, 1.0)
    decided[-1] = 1.0  # the looks are over
    return float((decided.sum(axis=1) / more[:, 0]).max())
