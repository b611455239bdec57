"""Correctness on a GPU, before anything is timed: each check returns what it found, or raises."""

import copy
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from gpu_machine import SCALARS, Machine

from smoothcert.cupy_kernels import loader
from smoothcert.engine.backends.base import Rows
from smoothcert.engine.backends.device.backend import DeviceBackend
from smoothcert.engine.backends.device.noise import DeviceNoise
from smoothcert.engine.backends.device.torch_network import TorchDeviceNetwork
from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.engine.noise.lattice import LatticeGaussian
from smoothcert.engine.noise.sampler import RowSampler

SEED = 0xFEDCBA9876543210
SIGMAS = (0.12, 0.25, 1.0, 4.0)  # 4.0: a guide too large for shared memory
_PADDED = {"nhwc3": 3, "nhwc3_pad4": 4, "nhwc3_pad8": 8}


class CheckError(Exception):
    """A check that failed, and how."""


@dataclass(frozen=True)
class _Input:
    """As much of a network as the noise needs to know."""

    spec: InputSpec
    batch_size: int
    input_scalar: str
    input_layout: str


def noise_is_bit_exact(
    machine: Machine, shape: tuple[int, int, int] = (3, 32, 32), batch: int = 256
) -> dict[str, Any]:
    """The kernel's inputs equal the CPU sampler's, in every number type and layout; a batch cut
    into rows of other batches too."""
    compared = 0
    for sigma, scalar in product(SIGMAS, SCALARS):
        whole = _draw(machine, shape, batch, sigma, scalar, "nchw", 0)
        expected = _expected(shape, batch, sigma, scalar)
        _compare(f"sigma {sigma}, {scalar}, nchw", whole, expected.reshape(-1))
        halves = [
            _draw(machine, shape, batch // 2, sigma, scalar, "nchw", first)
            for first in (0, batch // 2)
        ]
        _compare(f"sigma {sigma}, {scalar}, two halves", np.concatenate(halves), whole)
        compared += 2 * whole.size
        for layout, channels in _PADDED.items():
            last = np.zeros((batch, shape[1] * shape[2], channels), expected.dtype)
            last[:, :, :3] = expected.reshape(batch, 3, -1).transpose(0, 2, 1)
            found = _draw(machine, shape, batch, sigma, scalar, layout, 0)
            _compare(f"sigma {sigma}, {scalar}, {layout}", found, last.reshape(-1))
            compared += found.size
    return {"elements": compared, "sigmas": SIGMAS}


def _images(shape: tuple[int, int, int]) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (4, int(np.prod(shape)))).astype(np.uint8)


def _table(batch: int, first: int) -> npt.NDArray[np.uint32]:
    rows = np.zeros((batch, 4), np.uint32)
    number = np.arange(first, first + batch)
    rows[:, 0], rows[:, 1], rows[:, 2] = number % 4, number * 7, number % 3
    return rows


def _draw(
    machine: Machine,
    shape: tuple[int, int, int],
    batch: int,
    sigma: float,
    scalar: str,
    layout: str,
    first: int,
) -> npt.NDArray[np.unsignedinteger[Any]]:
    """The bits of the inputs of rows first .. first + batch - 1, flat."""
    runtime = machine.runtime
    spec = InputSpec(*shape, mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.25))
    network: Any = _Input(spec, batch, scalar, layout)
    noise = DeviceNoise(runtime, network, LatticeGaussian(sigma), SEED)
    images = runtime.allocate((4, spec.num_pixels), np.uint8)
    ids, rows = runtime.allocate((4,), np.uint32), runtime.allocate((batch, 4), np.uint32)
    machine.upload(_images(shape), images)
    machine.upload(np.arange(4, dtype=np.uint32) * 1000, ids)
    machine.upload(_table(batch, first), rows)
    width = np.dtype(np.uint32 if scalar == "float32" else np.uint16)
    count = batch * _PADDED.get(layout, 3) * shape[1] * shape[2]
    inputs = runtime.allocate((count,), width)
    stream = runtime.stream()
    noise.launch(images, ids, rows, inputs)(stream)
    stream.synchronize()
    return machine.download(inputs, width)


def _expected(
    shape: tuple[int, int, int], batch: int, sigma: float, scalar: str
) -> npt.NDArray[np.unsignedinteger[Any]]:
    """The CPU sampler's float32, rounded once: bits [batch, pixels]."""
    spec = InputSpec(*shape, mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.25))
    rows = _table(batch, 0)
    slots = rows[:, 0].astype(np.int32)
    counters = np.stack([rows[:, 1], np.arange(4, dtype=np.uint32)[slots] * 1000, rows[:, 2]])
    flat = np.empty((batch, spec.num_pixels), np.float32)
    RowSampler(LatticeGaussian(sigma).table, SEED, *spec.affine()).fill(
        _images(shape), slots, counters.astype(np.uint32), flat
    )
    if scalar == "float32":
        return flat.view(np.uint32)
    rounded = torch.from_numpy(flat).to(SCALARS[scalar])
    return rounded.view(torch.int16).numpy().view(np.uint16)


def _compare(what: str, found: npt.NDArray[Any], expected: npt.NDArray[Any]) -> None:
    differing = int(np.count_nonzero(found != expected))
    if differing:
        raise CheckError(f"{what}: {differing} of {expected.size} differ")


def votes_are_exact(machine: Machine, batch: int = 512, classes: int = 1000) -> dict[str, Any]:
    """The vote kernel equals numpy on logits with ties, NaN and infinities."""
    runtime = machine.runtime
    rng = np.random.default_rng(1)
    logits = rng.integers(-20, 20, (batch, classes)).astype(np.float32)  # many ties
    logits[3::50, 7], logits[5::50, 0], logits[7::50, classes - 1] = np.nan, np.inf, -np.inf
    expected = logits.argmax(axis=1)
    expected[~np.isfinite(logits).all(axis=1)] = -1
    for scalar, dtype in SCALARS.items():
        raw = torch.from_numpy(logits).to(dtype).view(torch.uint8).numpy()
        on_device = runtime.allocate(raw.shape, np.uint8)
        rows = runtime.allocate((batch, 4), np.uint32)
        votes = runtime.allocate((batch,), np.int32)
        machine.upload(raw, on_device)
        machine.upload(_table(batch, 0), rows)
        sizes = (np.uint32(batch), np.uint32(classes))
        stream = runtime.stream()
        runtime.kernel(loader.vote_kernel(scalar), 64, 256, (on_device, rows, *sizes, votes))(
            stream
        )
        stream.synchronize()
        _compare(f"votes on {scalar}", machine.download(votes, np.int32), expected)
    return {"rows": batch, "classes": classes}


def launches_agree(
    machine: Machine, module: torch.nn.Module, spec: InputSpec, classes: int, batch: int = 64
) -> dict[str, Any]:
    """Graph replays, single launches and padded batches give the same votes; how
    many votes another order of the rows, or another batch size, changes is reported."""
    law = LatticeGaussian(0.25)
    module = _undecided(module, spec)

    def opened(size: int, **options: Any) -> DeviceBackend:
        network = TorchDeviceNetwork(module, spec, classes, size, device=machine.torch_device)
        backend = DeviceBackend(machine.runtime, network, law, SEED, num_slots=4, **options)
        for slot, image in enumerate(_images(spec.shape)):
            backend.place(slot, slot * 1000, image)
        return backend

    graph = opened(batch)
    launches = str(graph.describe()["launches"])
    if machine.on_gpu and launches != "a graph per batch":
        raise CheckError(f"torch's work is launched {launches}")
    order = np.arange(4 * batch)
    expected = _votes(graph, order)
    _compare("graph, again", _votes(graph, order), expected)
    _compare("one by one", _votes(opened(batch, graph=False), order), expected)
    permuted = np.random.default_rng(2).permutation(order)
    moved = _votes(graph, permuted)
    _compare("rows in short batches", _votes(graph, order, batch // 3), expected)
    other = _votes(opened(batch // 2), order)
    if len(set(expected.tolist())) < 3:
        raise CheckError("all rows vote alike, which shows nothing")
    return {
        "rows": len(order),
        "classes_seen": len(set(expected.tolist())),
        "launches": launches,
        "changed_by_another_order": int(np.count_nonzero(moved != expected[permuted])),
        "changed_by_another_batch_size": int(np.count_nonzero(other != expected)),
    }


def _undecided(module: torch.nn.Module, spec: InputSpec) -> torch.nn.Module:
    """A copy whose classes are equally likely on noisy images: random weights mostly favour one."""
    module = copy.deepcopy(module).eval().cpu()
    last = [layer for layer in module.modules() if isinstance(layer, torch.nn.Linear)][-1]
    images = torch.from_numpy(_images(spec.shape)).view(4, *spec.shape).float() / 255
    noisy = images.repeat(16, 1, 1, 1)
    noisy += 0.25 * torch.randn(noisy.shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        last.bias.sub_(module(noisy).mean(dim=0))
    return module


def _votes(
    backend: DeviceBackend, order: npt.NDArray[np.int64], size: int | None = None
) -> npt.NDArray[np.int32]:
    """The votes of the rows `order` of a fixed list."""
    found = []
    step = size or backend.batch_size
    for first in range(0, len(order), step):
        part = order[first : first + step]
        slots = (part % 4).astype(np.int32)
        backend.submit(Rows(slots, (part // 4).astype(np.uint32), np.ones(len(part), np.uint32)))
        found.append(backend.collect())
    return np.concatenate(found)
