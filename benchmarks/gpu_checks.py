"""Correctness on a GPU, before anything is timed: each check returns what it found, or raises."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from gpu_machine import CheckError, Machine

from smoothcert.cupy_kernels import loader
from smoothcert.engine.backends.base import Rows
from smoothcert.engine.backends.device.backend import DeviceBackend
from smoothcert.engine.backends.device.noise import DeviceNoise
from smoothcert.engine.backends.device.torch_network import TorchDeviceNetwork
from smoothcert.engine.backends.torch_graph.lower import SCALARS
from smoothcert.engine.backends.torch_graph.variants import Recipe
from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.engine.noise.lattice import LatticeGaussian
from smoothcert.engine.noise.sampler import RowSampler
from smoothcert.export.random_model import random_module

SEED = 0xFEDCBA9876543210
SIGMAS = (0.12, 0.25, 1.0, 4.0)  # 4.0: a guide too large for shared memory
CHANNELS = {"nchw": 3, "nhwc3": 3, "nhwc3_pad4": 4, "nhwc3_pad8": 8}
"""Layouts of images of three channels, and the channels that they have in memory."""

_TOLERATED = 0.05  # votes of rows whose classes are about equally likely, by rounding


@dataclass(frozen=True)
class _Input:
    """As much of a network as the noise needs to know."""

    spec: InputSpec
    batch_size: int
    input_scalar: str
    input_layout: str


def noise_in_small_batches(machine: Machine, scalar: str) -> dict[str, Any]:
    """Bit for bit with the guide in global memory, odd sides too."""
    sizes = (((3, 5, 3), 8),) if machine.small else (((3, 15, 7), 64), ((3, 32, 32), 16))
    return _noise_of_sizes(machine, scalar, sizes, {"global"})


def noise_in_large_batches(machine: Machine, scalar: str) -> dict[str, Any]:
    """Bit for bit with the guide in shared memory, for which batches are large enough."""
    large = (3, 224, 224)
    sizes = ((large, 2),) if machine.small else (((3, 32, 32), 256), (large, 4))
    return _noise_of_sizes(machine, scalar, sizes, {"shared", "global"})


def _noise_of_sizes(
    machine: Machine,
    scalar: str,
    sizes: Sequence[tuple[tuple[int, int, int], int]],
    guides: set[str],
) -> dict[str, Any]:
    sigmas = (0.25, 4.0) if machine.small else SIGMAS
    found = [
        noise_is_bit_exact(machine, shape, batch, sigmas=sigmas, scalars=(scalar,))
        for shape, batch in sizes
    ]
    kernels = sorted({kernel for each in found for kernel in each["kernels"]})
    seen = {kernel.rpartition("_")[2] for kernel in kernels}
    if not guides <= seen:
        raise CheckError(f"expected kernels with {guides}, and {kernels} ran")
    elements = sum(each["elements"] for each in found)
    return {
        "line": f"{elements / 1e6:,.1f} M inputs equal, guide {' and '.join(sorted(seen))}",
        "elements": elements,
        "sigmas": sigmas,
        "kernels": kernels,
    }


def noise_is_bit_exact(
    machine: Machine,
    shape: tuple[int, int, int] = (3, 32, 32),
    batch: int = 256,
    *,
    sigmas: Sequence[float] = SIGMAS,
    scalars: Sequence[str] = tuple(SCALARS),
    layouts: Sequence[str] = tuple(CHANNELS),
) -> dict[str, Any]:
    """The kernel's inputs equal the CPU sampler's; a batch cut into rows of other batches too."""
    compared, kernels = 0, set()
    for sigma, scalar in product(sigmas, scalars):
        expected = _expected(shape, batch, sigma, scalar)
        for layout in layouts:
            what = f"sigma {sigma}, {scalar}, {layout}"
            laid_out = _laid_out(expected, layout)
            found, kernel = _draw(machine, shape, batch, sigma, scalar, layout, 0)
            kernels.add(kernel)
            _compare(what, found, laid_out)
            halves = [
                _draw(machine, shape, batch // 2, sigma, scalar, layout, first)
                for first in (0, batch // 2)
            ]
            kernels |= {kernel for _, kernel in halves}
            _compare(f"{what}, two halves", np.concatenate([half for half, _ in halves]), laid_out)
            compared += 2 * found.size
    return {"elements": compared, "kernels": sorted(kernels)}


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
) -> tuple[npt.NDArray[np.unsignedinteger[Any]], str]:
    """The bits of the inputs of rows first .. first + batch - 1, flat, and the kernel's name."""
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
    inputs = runtime.allocate((batch * CHANNELS[layout] * shape[1] * shape[2],), width)
    stream = runtime.stream()
    noise.launch(images, ids, rows, inputs)(stream)
    stream.synchronize()
    return machine.download(inputs, width), noise.describe()


def _expected(
    shape: tuple[int, int, int], batch: int, sigma: float, scalar: str
) -> npt.NDArray[np.unsignedinteger[Any]]:
    """The CPU sampler's float32, rounded once: bits [batch, channels, height * width]."""
    spec = InputSpec(*shape, mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.25))
    rows = _table(batch, 0)
    slots = rows[:, 0].astype(np.int32)
    counters = np.stack([rows[:, 1], np.arange(4, dtype=np.uint32)[slots] * 1000, rows[:, 2]])
    flat = np.empty((batch, spec.num_pixels), np.float32)
    RowSampler(LatticeGaussian(sigma).table, SEED, *spec.affine()).fill(
        _images(shape), slots, counters.astype(np.uint32), flat
    )
    planes = (batch, shape[0], shape[1] * shape[2])
    if scalar == "float32":
        return flat.view(np.uint32).reshape(planes)
    rounded = torch.from_numpy(flat).to(SCALARS[scalar])
    return rounded.view(torch.int16).numpy().view(np.uint16).reshape(planes)


def _laid_out(
    planes: npt.NDArray[np.unsignedinteger[Any]], layout: str
) -> npt.NDArray[np.unsignedinteger[Any]]:
    if layout == "nchw":
        return planes.reshape(-1)
    batch, channels, pixels = planes.shape
    last = np.zeros((batch, pixels, CHANNELS[layout]), planes.dtype)
    last[:, :, :channels] = planes.transpose(0, 2, 1)
    return last.reshape(-1)


def _compare(what: str, found: npt.NDArray[Any], expected: npt.NDArray[Any]) -> None:
    differing = int(np.count_nonzero(found != expected))
    if differing:
        raise CheckError(f"{what}: {differing} of {expected.size} differ")


def votes_are_exact(machine: Machine) -> dict[str, Any]:
    """The vote kernel equals numpy on logits with ties, NaN and infinities."""
    runtime = machine.runtime
    batch, classes = (64, 37) if machine.small else (512, 1000)
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
    line = f"{batch} rows of {classes} classes in {len(SCALARS)} number types"
    return {"line": line, "rows": batch, "classes": classes}


def launches_agree(machine: Machine, variant: str, scalar: str) -> dict[str, Any]:
    """Graph replays, single launches and padded batches give the same votes; how many votes another
    order of the rows, or another batch size, changes is reported."""
    batch = 6 if machine.small else 64

    def opened(size: int, *, graph: bool = True) -> DeviceBackend:
        return _opened(machine, variant, scalar, size, graph=graph)

    backend = opened(batch)
    launches = str(backend.describe()["launches"])
    if machine.on_gpu and launches != "a graph per batch":
        raise CheckError(f"torch's work is launched {launches}")
    order = np.arange(4 * batch)
    expected = _votes(backend, order)
    _compare("graph, again", _votes(backend, order), expected)
    _compare("one by one", _votes(opened(batch, graph=False), order), expected)
    permuted = np.random.default_rng(2).permutation(order)
    moved = int(np.count_nonzero(_votes(backend, permuted) != expected[permuted]))
    _compare("rows in short batches", _votes(backend, order, batch // 3), expected)
    other = int(np.count_nonzero(_votes(opened(batch // 2), order) != expected))
    _of_several_classes(expected)
    return {
        "line": f"{launches}; of {len(order)} votes another order changes {moved}, another batch "
        f"size {other}",
        "launches": launches,
        "convolutions": backend.describe()["convolutions"],
        "changed_by_another_order": moved,
        "changed_by_another_batch_size": other,
    }


def fused_votes_as_eager(machine: Machine) -> dict[str, Any]:
    """The fused network's votes against the eager one's, of rows that are hard to decide."""
    batch = 6 if machine.small else 256
    order = np.arange(4 * batch)
    differing = {}
    for scalar in SCALARS:
        eager, fused = (
            _votes(_opened(machine, variant, scalar, batch), order)
            for variant in ("eager", "fused")
        )
        _of_several_classes(eager)
        differing[scalar] = int(np.count_nonzero(eager != fused))
        if differing[scalar] > max(1, _TOLERATED * len(order)):
            raise CheckError(f"{scalar}: {differing[scalar]} of {len(order)} votes differ")
    found = ", ".join(f"{count} in {scalar}" for scalar, count in differing.items())
    return {"line": f"of {len(order)} votes differ: {found}", "differing": differing}


def _opened(
    machine: Machine, variant: str, scalar: str, batch: int, *, graph: bool = True
) -> DeviceBackend:
    """A network in eager or fused form, with four images in its slots."""
    arch, side = ("small_cnn", 16) if machine.small else ("cifar_resnet20", 32)
    spec, classes = InputSpec(3, side, side), 10
    module = _undecided(random_module(arch, classes, spec.shape), spec)
    recipe = Recipe(module, scalar, torch.device(machine.torch_device))
    made = {"eager": recipe.eager, "fused": recipe.fused}[variant]()
    network = TorchDeviceNetwork(
        made, spec, classes, batch, scalar=scalar, channels_last=True, device=machine.torch_device
    )
    law = LatticeGaussian(0.25)
    backend = DeviceBackend(machine.runtime, network, law, SEED, num_slots=4, graph=graph)
    for slot, image in enumerate(_images(spec.shape)):
        backend.place(slot, slot * 1000, image)
    return backend


def _undecided(module: torch.nn.Module, spec: InputSpec) -> torch.nn.Module:
    """A copy whose classes are equally likely on noisy images: random weights mostly favour one."""
    module = copy.deepcopy(module)
    last = [layer for layer in module.modules() if isinstance(layer, torch.nn.Linear)][-1]
    images = torch.from_numpy(_images(spec.shape)).view(4, *spec.shape).float() / 255
    noisy = images.repeat(16, 1, 1, 1)
    noisy += 0.25 * torch.randn(noisy.shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        last.bias.sub_(module(noisy).mean(dim=0))
    return module


def _of_several_classes(votes: npt.NDArray[np.int32]) -> None:
    if len(set(votes.tolist())) < 3:
        raise CheckError("all rows vote alike, which shows nothing")


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
