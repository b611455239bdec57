"""How fast large matrix products and convolutions are in a runtime, in a run's precision."""

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from smoothcert.engine.backends.base import Network
from smoothcert.engine.backends.host.runtimes import open_host_network
from smoothcert.engine.bench.flops import flops_per_sample
from smoothcert.engine.bench.shapes import SHAPES, Shape, write_chain
from smoothcert.engine.models.model import open_onnx

PRECISIONS = ("fp32", "bf16", "int8")
_LOOKS, _LOOK_SECONDS = 2, 0.05


class PeakLoop:
    """A Loop (rounds.py) of the fastest of several shapes, chosen when it is made. Its "samples"
    are operations, counted as a network's are: its rate is operations per second.

    shape  the chosen one
    """

    name = "peak"

    def __init__(
        self, backend: str, precision: str, threads: int, shapes: Sequence[Shape] = SHAPES
    ) -> None:
        made = [_Chain(backend, precision, threads, shape) for shape in shapes]
        for look in range(_LOOKS):
            for each in made if look % 2 == 0 else reversed(made):
                operations, seconds = each.run(_LOOK_SECONDS)
                each.best = max(each.best, operations / seconds)
        self._chain = max(made, key=lambda each: each.best)
        self.shape = self._chain.shape

    def warm(self, seconds: float) -> None:
        """See Loop.warm."""
        self.run(seconds)

    def run(self, seconds: float) -> tuple[int, float]:
        """See Loop.run."""
        return self._chain.run(seconds)


class _Chain:
    """A shape in a runtime, and the best rate it was seen at."""

    def __init__(self, backend: str, precision: str, threads: int, shape: Shape) -> None:
        self.shape, self.best = shape, 0.0
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "chain.onnx"
            write_chain(path, shape, quantised=precision == "int8")
            flops = flops_per_sample(path)
            assert flops is not None, "its shapes are all known"
            self._flops = flops * shape.rows
            self._network: Network = open_host_network(
                open_onnx(path), backend, precision, shape.rows, threads
            )
        self._network.inputs[:] = np.random.default_rng(0).random(
            self._network.inputs.shape, np.float32
        )
        self._network.run()  # the first run allocates

    def run(self, seconds: float) -> tuple[int, float]:
        operations, start = 0, time.perf_counter()
        while True:
            self._network.run()
            operations += self._flops
            elapsed = time.perf_counter() - start
            if elapsed >= seconds:
                return operations, elapsed
