"""How a model of lower precision votes against float32, on as few rows as it takes to know."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from smoothcert.engine.backends.base import Network, votes_of
from smoothcert.engine.noise.streams import Purpose
from smoothcert.export.agreement import NoisyRows
from smoothcert.export.precision.calibration import Calibration
from smoothcert.export.precision.stopping import RowTest
from smoothcert.export.precision.watching import Ran

MOST_ROWS = 2048
_SAMPLES = 8
_FIRST_SAMPLE = 2**20  # of the calibration stream, beyond what calibrates


@dataclass(frozen=True)
class Verdict:
    """Whether so few votes differ as is tolerated; `differing` of the `rows` looked at did."""

    passes: bool
    differing: int
    rows: int

    def __str__(self) -> str:
        return f"{self.differing / self.rows:.3g} of {self.rows} votes"


def search_rows(calibration: Calibration) -> NoisyRows:
    """The rows that decide which layers are quantised, in an order drawn at random, once for all:
    eight of each calibration image; of many images so many as MOST_ROWS, whichever come first."""
    order = np.random.default_rng(0).permutation(len(calibration.images) * _SAMPLES)
    return NoisyRows(
        calibration.images,
        calibration.sigma,
        _SAMPLES,
        first_sample=_FIRST_SAMPLE,
        purpose=Purpose.CALIBRATION,
        order=order[:MOST_ROWS],
    )


@dataclass
class Trials:
    """Models on trial, each against float32's votes, which are taken once.

    rows       they vote on
    reference  the float32 network; made when the first row is needed
    batch      of every network here
    tolerated  the part of the votes that may differ
    ran        is told how many rows a model on trial has voted on, after each batch
    """

    rows: NoisyRows
    reference: Callable[[], Network]
    batch: int
    tolerated: float
    ran: Ran
    spent: int = 0
    """Rows that networks have run here, float32 and others."""
    _votes: list[npt.NDArray[np.int32]] = field(default_factory=list)
    _more: Iterator[npt.NDArray[np.float32]] | None = None

    def __post_init__(self) -> None:
        self._test = RowTest.of(len(self.rows), self.tolerated, self.batch)

    def verdict(self, network: Network) -> Verdict:
        """Of a network of the same batch. It is what all rows would say, but for RowTest's error;
        a row that is not finite votes for no class."""
        differing = seen = 0
        for look, logits in enumerate(self.rows.logits(network)):
            differing += int((votes_of(logits) != self._reference_votes(look)).sum())
            seen += len(logits)
            self.spent += len(logits)
            self.ran(len(logits))
            answer = self._test.answer(look, differing)
            if answer is not None:
                return Verdict(answer, differing, seen)
        raise AssertionError("the last look answers")

    def _reference_votes(self, look: int) -> npt.NDArray[np.int32]:
        if look == len(self._votes):
            if self._more is None:
                self._more = self.rows.logits(self.reference())
            self._votes.append(votes_of(next(self._more)))
            self.spent += len(self._votes[-1])
        return self._votes[look]
