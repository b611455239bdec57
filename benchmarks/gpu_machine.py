"""What the GPU suite measures on: a device runtime, torch on the same device, and a clock.

The tests put a runtime on the CPU in its place, so that all of the suite is executed without a GPU.
"""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from smoothcert.engine.backends.device.network import (
    CapturingNetwork,
    DeviceNetwork,
    input_elements,
)
from smoothcert.engine.backends.device.runtime import DeviceArray, DeviceRuntime
from smoothcert.engine.base.errors import one_line
from smoothcert.engine.base.input_spec import SCALAR_BYTES

SCALARS = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


@dataclass(frozen=True)
class Machine:
    """block_seconds: how long one timed block is to take, of which there are `blocks`."""

    runtime: DeviceRuntime
    torch_device: str
    block_seconds: float = 1.0
    blocks: int = 5

    @property
    def on_gpu(self) -> bool:
        """Whether torch is on a GPU too."""
        return self.torch_device.startswith("cuda")

    def synchronize(self) -> None:
        """Wait for all that torch and the runtime have queued."""
        if self.on_gpu:
            torch.cuda.synchronize()

    def upload(self, array: npt.NDArray[Any], target: DeviceArray) -> None:
        """Copy to the device, and wait for it."""
        stream = self.runtime.stream()
        staged = self.runtime.pinned(array.shape, array.dtype)
        staged[...] = array
        self.runtime.upload(staged, target, stream)
        stream.synchronize()

    def download(self, source: DeviceArray, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        """A flat copy of device memory as numbers of a type."""
        stream = self.runtime.stream()
        staged = self.runtime.pinned((source.nbytes,), np.uint8)
        self.runtime.download(source, staged, stream)
        stream.synchronize()
        return staged.view(dtype)


def interleaved(
    machine: Machine, works: Mapping[str, Callable[[], object]]
) -> dict[str, list[float]]:
    """Seconds of one call of each work, in blocks that take turns, so that drift hits all alike.

    A work's calls in a block are as many as fill block_seconds, by a first measurement.
    """
    calls = {}
    for name, work in works.items():
        work()
        machine.synchronize()
        start = time.perf_counter()
        work()
        machine.synchronize()
        once = time.perf_counter() - start
        calls[name] = max(1, round(machine.block_seconds / max(once, 1e-6)))
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(machine.blocks):
        for name, work in works.items():
            machine.synchronize()
            start = time.perf_counter()
            for _ in range(calls[name]):
                work()
            machine.synchronize()
            seconds[name].append((time.perf_counter() - start) / calls[name])
    return seconds


def spread(values: list[float]) -> dict[str, float]:
    """Median and extremes."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


class BareNetwork:
    """A device network alone on a constant random input: the ceiling of any pipeline around it."""

    def __init__(self, machine: Machine, network: DeviceNetwork) -> None:
        runtime = machine.runtime
        self._stream = runtime.stream()
        count = input_elements(network)
        size = count * SCALAR_BYTES[network.input_scalar]
        self._inputs = runtime.allocate((size,), np.uint8)
        row_bytes = network.num_classes * SCALAR_BYTES[network.logits_scalar]
        self._logits = runtime.allocate((network.batch_size, row_bytes), np.uint8)
        values = torch.rand(count).to(SCALARS[network.input_scalar])
        machine.upload(values.view(torch.uint8).numpy(), self._inputs)
        network.bind([self._inputs.pointer], self._logits.pointer, self._stream.pointer)
        network.enqueue(0)
        self._stream.synchronize()
        self.launches = "one by one"
        self.enqueue: Callable[[], None] = lambda: network.enqueue(0)
        try:
            if isinstance(network, CapturingNetwork):
                self.enqueue = network.capture(lambda: network.enqueue(0))
            elif network.capturable and runtime.can_capture:
                self.enqueue = runtime.capture(lambda: network.enqueue(0), self._stream)
            else:
                return
            self.launches = "a graph"
        except RuntimeError as error:
            self.launches = f"one by one ({one_line(error)})"

    def run(self, batches: int) -> None:
        """So many runs, one after the other; waits for the last."""
        for _ in range(batches):
            self.enqueue()
        self._stream.synchronize()
