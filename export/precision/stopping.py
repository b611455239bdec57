"""When enough rows have been looked at to know whether too many votes differ: a sequential test.

The question is about N rows that are fixed: do at most `most` of them differ? They are looked at
in an order drawn at random, a batch at a time. However the differing ones are spread over images,
the first r rows then hold a hypergeometric number of them, so nothing is assumed of the networks.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

ERROR = 0.01
"""How often the test may answer, over orders, what all rows would not; for each answer."""


@dataclass(frozen=True)
class RowTest:
    """Whether at most `most` of the rows differ.

    looks   int64, ascending: after how many rows the differing ones are counted; the last is all
    passes  int64, per look: at so many or fewer the answer is yes; -1 for none
    fails   int64, per look: at so many or more it is no

    Whatever the votes are, a yes where more than `most` of all rows differ, and a no where they do
    not, come up with probability at most `error` each, over the order of the rows. At the last look
    the answer is exact.
    """

    most: int
    looks: Ints
    passes: Ints
    fails: Ints

    @classmethod
    def of(cls, rows: int, tolerated: float, batch: int, error: float = ERROR) -> "RowTest":
        """Of so many rows, of which the part `tolerated` may differ, looked at by batches."""
        most = int(np.flatnonzero(np.arange(rows + 1) / rows <= tolerated)[-1])
        looks = np.array([*range(batch, rows, batch), rows], np.int64)
        allowed = error * looks / rows
        # Of all numbers of differing rows that are too many, the least is the likeliest to look
        # like few; of those that are not, `most` is the likeliest to look like many.
        passes = _fewest(rows, min(most + 1, rows), looks, allowed)
        fails = looks - _fewest(rows, rows - most, looks, allowed)
        passes[-1], fails[-1] = most, most + 1
        return cls(most, looks, passes, fails)

    def answer(self, look: int, differing: int) -> bool | None:
        """Whether the rows pass, with so many differing at a look; None: go on."""
        if differing <= self.passes[look]:
            return True
        return False if differing >= self.fails[look] else None


def _fewest(rows: int, marked: int, looks: Ints, allowed: Floats) -> Ints:
    """The largest counts, int64 per look (-1: none), such that a count of `marked` rows among all
    is at or below one of them at look j or before with probability at most allowed[j]."""
    crossing = np.full(len(looks), -1, np.int64)
    counts = np.arange(marked + 1)
    state = (counts == 0).astype(np.float64)  # how likely each count is, no look crossed so far
    seen, spent = 0, 0.0
    for look, until in enumerate(looks):
        state = _after(state, rows - seen, int(until) - seen)
        seen = int(until)
        within = np.flatnonzero(spent + np.cumsum(state) <= allowed[look])
        if len(within):
            crossing[look] = within[-1]
            spent += float(state[: within[-1] + 1].sum())
            state[: within[-1] + 1] = 0.0
    return crossing


def _after(state: Floats, left: int, drawn: int) -> Floats:
    """The probabilities of counts after `drawn` more of the `left` rows."""
    marked = len(state) - 1
    counts, more = np.arange(marked + 1)[:, None], np.arange(drawn + 1)
    rest = marked - counts  # of the marked ones, among those that are left
    possible = (more <= rest) & (drawn - more <= left - rest)
    with np.errstate(invalid="ignore"):
        logs = _log_choose(rest, more) + _log_choose(left - rest, drawn - more)
    part = np.where(possible, np.exp(logs - _log_choose(left, drawn)), 0.0)
    after = np.zeros(marked + 1)
    for extra in range(min(drawn, marked) + 1):
        after[extra:] += (state * part[:, extra])[: marked + 1 - extra]
    return after


def _log_choose(n: npt.ArrayLike, k: npt.ArrayLike) -> Floats:
    """log of n over k; float64, meaningless where there is none."""
    n, k = np.asarray(n, np.float64), np.asarray(k, np.float64)
    found: Floats = special.gammaln(n + 1) - special.gammaln(k + 1) - special.gammaln(n - k + 1)
    return found
