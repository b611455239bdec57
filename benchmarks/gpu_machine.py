"""What the GPU suite works on: a device runtime, torch on the same device, and a clock.

Its rehearsal puts a runtime on the CPU in its place, so that the suite is executed without a GPU.
"""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from smoothcert.engine.backends.device.runtime import DeviceArray, DeviceRuntime
from smoothcert.engine.base.errors import DeviceUnavailableError
from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.engine.bench.rounds import Loop
from smoothcert.export.random_model import random_module

_WARM_SECONDS = 0.2


class SkippedError(Exception):
    """A step that this machine cannot do; the message says what it lacks."""


class CheckError(Exception):
    """A check that failed, and how."""


@dataclass(frozen=True)
class Workload:
    """A network with random weights, and the batch it is timed at."""

    arch: str
    spec: InputSpec
    classes: int
    batch: int
    original_batch: int

    def module(self) -> torch.nn.Module:
        """The network, float32, on the CPU, in eval mode."""
        return random_module(self.arch, self.classes, self.spec.shape)


_TINY = Workload("small_cnn", InputSpec(3, 16, 16), 10, 4, 4)
_WORKLOADS = {
    "resnet50": Workload("resnet50", InputSpec(3, 224, 224), 1000, 512, 1000),
    "cifar_resnet110": Workload("cifar_resnet110", InputSpec(3, 32, 32), 10, 2048, 1000),
}


@dataclass(frozen=True)
class Machine:
    """block_seconds: how long one timed block is to take at least, of which there are `blocks`;
    folder: where steps leave files for others; small: a rehearsal, everything tiny."""

    runtime: DeviceRuntime
    torch_device: str
    block_seconds: float = 0.5
    blocks: int = 3
    folder: Path = Path()
    small: bool = False

    @property
    def on_gpu(self) -> bool:
        """Whether torch is on a GPU too."""
        return self.torch_device.startswith("cuda")

    def workload(self, name: str) -> Workload:
        """The workload of that name, or a tiny one in a rehearsal."""
        return _TINY if self.small else _WORKLOADS[name]

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


def gpu_machine(folder: Path = Path()) -> Machine:
    """The first GPU, by CuPy and torch.

    Raises MissingPartError or DeviceUnavailableError where one of them cannot use it.
    """
    from smoothcert.engine.backends.device.cupy_runtime import CupyRuntime

    runtime = CupyRuntime(0)
    if not torch.cuda.is_available():
        raise DeviceUnavailableError(
            f"torch {torch.__version__} sees no GPU, and CuPy does: expected a torch with CUDA"
        )
    return Machine(runtime, "cuda:0", folder=folder)


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


def in_turns(machine: Machine, loops: Mapping[str, Loop]) -> dict[str, list[float]]:
    """Samples per second of each loop, block by block, in blocks that take turns as above.

    What a loop compiles or allocates at its first step is not in its time, nor what the clocks of
    a GPU need after a pause.
    """
    warm = min(_WARM_SECONDS, machine.block_seconds)
    for loop in loops.values():
        loop.warm(warm)
        machine.synchronize()
    rates: dict[str, list[float]] = {name: [] for name in loops}
    for number in range(machine.blocks):
        names = list(loops) if number % 2 == 0 else list(loops)[::-1]
        for name in names:
            loops[name].warm(warm / 4)
            samples, elapsed = loops[name].run(machine.block_seconds)
            machine.synchronize()
            rates[name].append(samples / elapsed)
    return rates


def spread(values: list[float]) -> dict[str, float]:
    """Median and extremes."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def ratio(one: list[float], other: list[float]) -> dict[str, float]:
    """one / other, block by block."""
    return spread([a / b for a, b in zip(one, other, strict=True)])
