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

from smoothcert.engine.backends.device.runtime import DeviceArray, DeviceRuntime

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
