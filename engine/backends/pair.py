"""Two models on the same noise: the fast one votes on every row, the reference on some."""

from typing import Any

import numpy as np
import numpy.typing as npt

from smoothcert.engine.backends.base import Backend, Rows
from smoothcert.engine.noise.streams import Purpose


class PairBackend:
    """A Backend (base.py) of 2K classes around two of K.

    A row's vote is the fast model's class c; K + c where the row is drawn for the comparison
    (Purpose.DISAGREEMENT) and the reference votes otherwise, or for no class. Other rows are the
    fast model's alone. A row the fast model votes for no class on stays such.

    Both backends must draw the same noise (law and seed) for inputs of one shape, and have the
    same classes.
    """

    def __init__(self, fast: Backend, reference: Backend) -> None:
        self.spec = fast.spec
        self.num_classes = 2 * fast.num_classes
        self.batch_size = min(fast.batch_size, reference.batch_size)
        self.num_slots = min(fast.num_slots, reference.num_slots)
        self.depth = min(fast.depth, reference.depth)
        self.stage_seconds: dict[str, float] = {}
        self._fast, self._reference = fast, reference
        self._compared: list[npt.NDArray[np.intp]] = []

    def place(self, slot: int, image_id: int, image: npt.NDArray[np.uint8]) -> None:
        """See Backend.place."""
        self._fast.place(slot, image_id, image)
        self._reference.place(slot, image_id, image)

    def submit(self, rows: Rows) -> None:
        """See Backend.submit."""
        compared = np.flatnonzero(rows.purposes == Purpose.DISAGREEMENT)
        self._fast.submit(rows)
        if compared.size:
            self._reference.submit(
                Rows(rows.slots[compared], rows.samples[compared], rows.purposes[compared])
            )
        self._compared.append(compared)

    def collect(self) -> npt.NDArray[np.int32]:
        """See Backend.collect."""
        compared = self._compared.pop(0)
        votes = self._fast.collect().copy()
        if compared.size:
            own = votes[compared]
            lost = (self._reference.collect() != own) & (own >= 0)
            votes[compared] = np.where(lost, own + self.num_classes // 2, own)
        return votes

    def run_network(self, times: int = 1) -> None:
        """See Backend.run_network: the fast model's, which runs on every row."""
        self._fast.run_network(times)

    def describe(self) -> dict[str, Any]:
        """See Backend.describe: that of the fast backend, and the reference's beside it."""
        return {**self._fast.describe(), "reference": self._reference.describe()}

    def close(self) -> None:
        """See Backend.close: of both."""
        self._fast.close()
        self._reference.close()
