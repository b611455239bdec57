"""Kernels on a GPU, against the bandwidth of copies: what they could be at best."""

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from gpu_machine import Machine, Workload, interleaved, spread

from smoothcert.cupy_kernels import loader
from smoothcert.engine.backends.device.network import input_elements
from smoothcert.engine.backends.device.noise import DeviceNoise
from smoothcert.engine.backends.device.runtime import DeviceRuntime
from smoothcert.engine.base.input_spec import SCALAR_BYTES, InputSpec
from smoothcert.engine.noise.lattice import LatticeGaussian

SIGMA = 0.25
_LAUNCHES = 20  # per timed call: one wait for all of them
_INPUTS = (("float16", "nhwc3"), ("float16", "nchw"), ("float32", "nchw"))


def kernels(machine: Machine, work: str) -> dict[str, Any]:
    """Copies, the noise kernel with its guide in shared and in global memory, the vote kernel."""
    workload = machine.workload(work)
    copied = copy_bandwidth(machine)
    bandwidth = copied["median"]
    noise = [
        noise_kernel(machine, workload, scalar, layout, bandwidth, shared=shared)
        for scalar, layout in _INPUTS
        for shared in (True, False)
    ]
    votes = [vote_kernel(machine, workload, scalar, bandwidth) for scalar in ("float16", "float32")]
    drawn = ", ".join(f"{each['ns_per_pixel'] * 1e3:.2f}" for each in noise)
    voted = ", ".join(f"{each['seconds']['median'] * 1e6:.1f}" for each in votes)
    return {
        "line": f"copy {bandwidth / 1e12:.2f} TB/s; noise {drawn} ps/pixel; vote {voted} us",
        "copy_bytes_per_second": copied,
        "noise": noise,
        "votes": votes,
    }


def copy_bandwidth(machine: Machine) -> dict[str, float]:
    """Bytes read and written per second by a copy within device memory."""
    size = 2**20 if machine.small else 2**30
    source = torch.zeros(size, dtype=torch.uint8, device=machine.torch_device)
    target = torch.empty_like(source)
    seconds = interleaved(machine, {"copy": lambda: target.copy_(source)})["copy"]
    return spread([2 * size / each for each in seconds])


def noise_kernel(
    machine: Machine,
    work: Workload,
    scalar: str,
    layout: str,
    bandwidth: float,
    *,
    shared: bool,
) -> dict[str, Any]:
    """Seconds of a launch, and its writes as a share of the copy bandwidth.

    shared  the guide is where the product has it; otherwise always in global memory
    """
    spec, batch = work.spec, work.batch
    network: Any = _Shape(spec, batch, scalar, layout)
    runtime: Any = machine.runtime if shared else _NoSharedMemory(machine.runtime)
    noise = DeviceNoise(runtime, network, LatticeGaussian(SIGMA), 0)
    rows = np.zeros((batch, 4), np.uint32)
    rows[:, 1] = np.arange(batch)
    table = runtime.allocate(rows.shape, np.uint32)
    machine.upload(rows, table)
    images = runtime.allocate((1, spec.num_pixels), np.uint8)
    ids = runtime.allocate((1,), np.uint32)
    size = input_elements(network) * SCALAR_BYTES[scalar]
    inputs = runtime.allocate((size,), np.uint8)
    launch, stream = noise.launch(images, ids, table, inputs), runtime.stream()

    def several() -> None:
        for _ in range(_LAUNCHES):
            launch(stream)
        stream.synchronize()

    seconds = [each / _LAUNCHES for each in interleaved(machine, {"noise": several})["noise"]]
    middle = spread(seconds)["median"]
    return {
        "kernel": noise.describe(),
        "batch": batch,
        "seconds": spread(seconds),
        "ns_per_pixel": middle / (batch * spec.num_pixels) * 1e9,
        "bytes_written": size,
        "share_of_copy_bandwidth": size / middle / bandwidth,
    }


def vote_kernel(machine: Machine, work: Workload, scalar: str, bandwidth: float) -> dict[str, Any]:
    """Seconds of a launch, and its reads as a share of the copy bandwidth."""
    runtime, batch, classes = machine.runtime, work.batch, work.classes
    size = batch * classes * SCALAR_BYTES[scalar]
    logits = runtime.allocate((size,), np.uint8)
    rows = runtime.allocate((batch, 4), np.uint32)
    votes = runtime.allocate((batch,), np.int32)
    sizes = (np.uint32(batch), np.uint32(classes))
    arguments = (logits, rows, *sizes, votes)
    launch = runtime.kernel(loader.vote_kernel(scalar), -(-batch // 8), 256, arguments)
    stream = runtime.stream()

    def several() -> None:
        for _ in range(_LAUNCHES):
            launch(stream)
        stream.synchronize()

    seconds = [each / _LAUNCHES for each in interleaved(machine, {"vote": several})["vote"]]
    return {
        "batch": batch,
        "classes": classes,
        "scalar": scalar,
        "seconds": spread(seconds),
        "share_of_copy_bandwidth": size / spread(seconds)["median"] / bandwidth,
    }


class _Shape:
    """As much of a network as the noise needs to know."""

    def __init__(self, spec: InputSpec, batch: int, scalar: str, layout: str) -> None:
        self.spec, self.batch_size = spec, batch
        self.input_scalar, self.input_layout = scalar, layout


class _NoSharedMemory:
    """A runtime whose device has no shared memory to give, which is all that it changes."""

    def __init__(self, runtime: DeviceRuntime) -> None:
        self._runtime = runtime
        self.properties = replace(runtime.properties, shared_memory=0)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._runtime, name)
