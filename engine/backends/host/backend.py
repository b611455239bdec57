"""The CPU backend: noise drawn straight into the network's input buffer, votes counted in numpy."""

import time
from collections import deque
from typing import Any

import numpy as np
import numpy.typing as npt

from smoothcert.engine.backends.base import Network, Rows, votes_of
from smoothcert.engine.backends.host.room import SLOTS
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.failing import running
from smoothcert.engine.noise.lattice import LatticeGaussian
from smoothcert.engine.noise.sampler import RowSampler


class HostBackend:
    """A Backend (backends/base.py) around any CPU Network.

    law, seed  the noise
    num_slots  images held at a time
    threads    cores for the noise; None for all usable ones
    """

    depth = 1  # The cores are busy with this batch; queueing another would gain nothing.

    def __init__(
        self,
        network: Network,
        law: LatticeGaussian,
        seed: int,
        num_slots: int = SLOTS,
        threads: int | None = None,
    ) -> None:
        self._notes: dict[str, Any] = {}
        self.spec = network.spec
        self.num_classes = network.num_classes
        self.num_slots = num_slots
        self.batch_size = len(network.inputs)
        self._network = network
        self._name = str(network.describe().get("runtime", "the network"))
        self._sampler = RowSampler(law.table, seed, *self.spec.affine(), threads)
        self._images = np.zeros((num_slots, self.spec.num_pixels), np.uint8)
        self._image_ids = np.zeros(num_slots, np.uint32)
        self._counters = np.zeros((3, self.batch_size), np.uint32)
        self.stage_seconds = {"noise": 0.0, "network": 0.0, "vote": 0.0}
        self._results: deque[npt.NDArray[np.int32]] = deque()

    def place(self, slot: int, image_id: int, image: npt.NDArray[np.uint8]) -> None:
        """See Backend.place."""
        self._images[slot] = image.reshape(-1)
        self._image_ids[slot] = image_id

    def submit(self, rows: Rows) -> None:
        """See Backend.submit; the work is done here, rows beyond the given ones are stale."""
        logits = self._run(rows)
        start = time.perf_counter()
        self._results.append(votes_of(logits))
        self.stage_seconds["vote"] += time.perf_counter() - start

    def _run(self, rows: Rows) -> npt.NDArray[np.float32]:
        count = len(rows)
        counters = self._counters[:, :count]
        counters[0] = rows.samples
        counters[1] = self._image_ids[rows.slots]
        counters[2] = rows.purposes
        start = time.perf_counter()
        self._sampler.fill(self._images, rows.slots, counters, self._network.inputs)
        filled = time.perf_counter()
        logits = self._ran()
        self.stage_seconds["noise"] += filled - start
        self.stage_seconds["network"] += time.perf_counter() - filled
        return logits[:count]

    def _ran(self) -> npt.NDArray[np.float32]:
        with running(self._name):
            logits = self._network.run()
        expected = (self.batch_size, self.num_classes)
        if logits.shape != expected:
            raise InputError(
                f"the model returned {logits.shape} from {self._name} for a batch of "
                f"{self.batch_size} images: expected logits {expected}, a row for each image"
            )
        return logits

    def logits(self, rows: Rows) -> npt.NDArray[np.float32]:
        """See LogitsBackend.logits."""
        return self._run(rows).copy()

    def collect(self) -> npt.NDArray[np.int32]:
        """See Backend.collect."""
        return self._results.popleft()

    def run_network(self, times: int = 1) -> None:
        """See Backend.run_network."""
        for _ in range(times):
            self._ran()

    def describe(self) -> dict[str, Any]:
        """See Backend.describe."""
        return {**self._network.describe(), "batch": self.batch_size, **self._notes}

    def note(self, name: str, value: Any) -> None:
        """See LogitsBackend.note."""
        self._notes[name] = value

    def close(self) -> None:
        """See Backend.close: nothing is held that Python does not free by itself."""
