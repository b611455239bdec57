"""What is timed on a GPU: kernels against the copy bandwidth, the pipeline against its network."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from gpu_machine import Machine, interleaved, spread

from smoothcert.cupy_kernels import loader
from smoothcert.engine.backends.device.backend import DeviceBackend
from smoothcert.engine.backends.device.network import DeviceNetwork, input_elements
from smoothcert.engine.backends.device.noise import DeviceNoise
from smoothcert.engine.base.input_spec import SCALAR_BYTES, InputSpec
from smoothcert.engine.bench.reference import ORIGINAL_BATCH, original_counts
from smoothcert.engine.noise.lattice import LatticeGaussian
from smoothcert.engine.run.scheduler import Scheduler
from smoothcert.engine.sources.base import LabelledImage
from smoothcert.engine.statistics.procedures import FixedCertify

SIGMA = 0.25
_LAUNCHES = 20  # per timed call: one wait for all of them


def copy_bandwidth(machine: Machine, size: int = 2**30) -> dict[str, float]:
    """Bytes read and written per second by a copy within device memory."""
    source = torch.zeros(size, dtype=torch.uint8, device=machine.torch_device)
    target = torch.empty_like(source)
    seconds = interleaved(machine, {"copy": lambda: target.copy_(source)})["copy"]
    return spread([2 * size / each for each in seconds])


def noise_kernel(
    machine: Machine, spec: InputSpec, batch: int, scalar: str, layout: str, bandwidth: float
) -> dict[str, Any]:
    """Seconds of a launch, and its writes as a share of the copy bandwidth."""
    network: Any = _Shape(spec, batch, scalar, layout)
    runtime = machine.runtime
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
    pixels = batch * spec.num_pixels
    middle = spread(seconds)["median"]
    return {
        "kernel": noise.describe(),
        "batch": batch,
        "seconds": spread(seconds),
        "ns_per_pixel": middle / pixels * 1e9,
        "bytes_written": size,
        "share_of_copy_bandwidth": size / middle / bandwidth,
    }


def vote_kernel(
    machine: Machine, batch: int, classes: int, scalar: str, bandwidth: float
) -> dict[str, Any]:
    """Seconds of a launch, and its reads as a share of the copy bandwidth."""
    runtime = machine.runtime
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
    middle = spread(seconds)["median"]
    return {
        "batch": batch,
        "classes": classes,
        "scalar": scalar,
        "seconds": spread(seconds),
        "share_of_copy_bandwidth": size / middle / bandwidth,
    }


class _Shape:
    """As much of a network as the noise needs to know."""

    def __init__(self, spec: InputSpec, batch: int, scalar: str, layout: str) -> None:
        self.spec, self.batch_size = spec, batch
        self.input_scalar, self.input_layout = scalar, layout


def pipeline(machine: Machine, open_network: Callable[[], DeviceNetwork]) -> dict[str, Any]:
    """The product's own loop against the bare network: samples per second, block by block.

    Scheduler, noise, votes and procedure are all in; with graphs, and with single launches. A
    network is bound once, so each has its own.
    """
    law = LatticeGaussian(SIGMA)
    backends = {
        "pipeline": DeviceBackend(machine.runtime, open_network(), law, 0),
        "pipeline_single_launches": DeviceBackend(
            machine.runtime, open_network(), law, 0, graph=False
        ),
    }
    first = backends["pipeline"]
    batch, spec = first.batch_size, first.spec
    image = np.random.default_rng(0).integers(0, 256, spec.shape).astype(np.uint8)
    batches = 32 if machine.on_gpu else 8
    samples = batches * batch
    procedure = FixedCertify(SIGMA, n0=batch // 2, n=samples - batch // 2)

    def certify(backend: DeviceBackend) -> None:
        # One call is one image: what ends it (its last votes, the decision) is in its time.
        list(Scheduler(backend, procedure).run([LabelledImage(0, 0, image)]))

    works: dict[str, Callable[[], object]] = {"bare": lambda: first.run_network(batches)}
    for name, backend in backends.items():
        works[name] = lambda backend=backend: certify(backend)  # type: ignore[misc]
    seconds = interleaved(machine, works)
    result: dict[str, Any] = {
        "network": first.describe(),
        "batch": batch,
        "launches": first.describe()["launches"],
        "noise": first.describe()["noise"],
    }
    for name, values in seconds.items():
        result[f"{name}_samples_per_second"] = spread([samples / each for each in values])
        if name != "bare":
            shares = [b / a for a, b in zip(values, seconds["bare"], strict=True)]
            result[f"{name}_over_bare"] = spread(shares)
    return result


def original(
    machine: Machine,
    module: torch.nn.Module,
    spec: InputSpec,
    classes: int,
    samples: int,
    batch: int,
) -> dict[str, Any]:
    """The original code's loop on the same device: float32, and float16 channels last."""
    module = module.eval().to(machine.torch_device)
    x = torch.rand(spec.shape, device=machine.torch_device)
    half = _Half(module)

    def count(network: torch.nn.Module) -> Callable[[], object]:
        return lambda: original_counts(network, x, samples, SIGMA, batch, classes)

    works = {"float32": count(module), "float16_channels_last": count(half)}
    seconds = interleaved(machine, works)
    return {
        "batch": batch,
        "original_default_batch": ORIGINAL_BATCH,
        "tf32_convolutions": bool(torch.backends.cudnn.allow_tf32),
        **{f"{k}_samples_per_second": spread([samples / s for s in v]) for k, v in seconds.items()},
    }


class _Half(torch.nn.Module):
    """A module in float16, channels last, that takes and returns float32."""

    def __init__(self, module: torch.nn.Module) -> None:
        super().__init__()
        import copy

        inner: Any = copy.deepcopy(module).half()
        self.inner = inner.to(memory_format=torch.channels_last)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.half().contiguous(memory_format=torch.channels_last)
        logits: torch.Tensor = self.inner(x)
        return logits.float()
