"""Which backend runs a model: one door for ONNX files, checkpoints and plans, on a CPU or a GPU."""

import contextlib
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from smoothcert.engine.backends.base import AUTO, Backend, Compute
from smoothcert.engine.backends.device.driver import require_gpu
from smoothcert.engine.backends.device.network import DeviceNetwork, default_batch
from smoothcert.engine.backends.host.backend import HostBackend
from smoothcert.engine.backends.host.runtimes import HOST_RUNTIMES, open_host_network
from smoothcert.engine.backends.pair import PairBackend
from smoothcert.engine.backends.tensorrt.plan import is_plan
from smoothcert.engine.base.errors import InputError, MissingPartError, require
from smoothcert.engine.base.input_spec import SCALAR_BYTES, InputSpec
from smoothcert.engine.base.machine import usable_cores
from smoothcert.engine.models.model import Model
from smoothcert.engine.noise.lattice import LatticeGaussian

if TYPE_CHECKING:
    import torch

_DEVICE_BACKENDS = ("onnxruntime", "tensorrt", "torch")
BACKENDS = (AUTO, *HOST_RUNTIMES, "tensorrt", "torch")


def open_backend(
    model: Model,
    law: LatticeGaussian,
    seed: int,
    compute: Compute | None = None,
    *,
    reference: Model | None = None,
) -> Backend:
    """The backend that runs a model file; with `reference`, the pair that certificates are
    transferred with.

    Raises InputError, naming what is missing, for a backend, device, precision or batch that
    cannot be had, and for a reference that does not see the model's images.
    """
    compute = compute or Compute()
    if reference is not None:
        _check_pair(model, reference)
    fast = _open_one(model, law, seed, compute)
    if reference is None:
        return fast
    batch = None if isinstance(reference.batch, int) else fast.batch_size
    other = _open_one(reference, law, seed, Compute(batch=batch, threads=compute.threads))
    return PairBackend(fast, other)


def _open_one(model: Model, law: LatticeGaussian, seed: int, compute: Compute) -> Backend:
    backend, device = compute.backend, compute.device
    if is_plan(model.path):
        return _open_plan(model, law, seed, compute)
    if backend not in BACKENDS:
        raise InputError(f"backend {backend!r} is unknown: expected one of {', '.join(BACKENDS)}")
    if compute.batch is not None and compute.batch < 1:
        raise InputError(f"batch {compute.batch} is too small: expected at least 1")
    if device != "cpu":
        return _open_device(model, law, seed, compute)
    if backend not in (AUTO, *HOST_RUNTIMES):
        raise InputError(f"backend {backend} runs on a GPU: expected --device cuda:0 with it")
    threads = compute.threads or usable_cores()
    network = open_host_network(model, backend, compute.precision, compute.batch, threads)
    return HostBackend(network, law, seed, threads=threads)


def _check_pair(model: Model, reference: Model) -> None:
    """Raise InputError for models that do not see the same image: of another shape, or that resize
    photographs otherwise. (Their normalisations may differ.)"""
    one, other = model.spec, reference.spec
    if (one.resize, one.interpolation) != (other.resize, other.interpolation):
        raise InputError(
            f"the reference {reference.path} resizes photographs to {other.resize} "
            f"{other.interpolation}, the model to {one.resize} {one.interpolation}: expected the "
            "same, or they see different images"
        )
    if one.shape != other.shape or model.num_classes != reference.num_classes:
        raise InputError(
            f"the reference {reference.path} maps {other.shape} to {reference.num_classes} "
            f"classes, the model {one.shape} to {model.num_classes}: expected the same"
        )


def open_module(
    module: "torch.nn.Module",
    spec: InputSpec,
    num_classes: int,
    law: LatticeGaussian,
    seed: int,
    batch: int,
) -> Backend:
    """The backend that runs a torch module where it is, one image at a time: on its GPU, noise and
    votes too (without CuPy or PyCUDA there, the noise is the CPU's)."""
    parameter = next(module.parameters(), None)
    if parameter is not None and parameter.device.type == "cuda":
        index = parameter.device.index
        from smoothcert.engine.backends.device.torch_network import TorchDeviceNetwork

        def network() -> DeviceNetwork:
            return TorchDeviceNetwork(module, spec, num_classes, batch, device=f"cuda:{index}")

        with contextlib.suppress(MissingPartError):
            return _on_gpu(index, network, law, seed, num_slots=1)
    from smoothcert.engine.backends.host.torch_network import TorchNetwork

    return HostBackend(TorchNetwork(module, spec, num_classes, batch), law, seed, num_slots=1)


def device_index(device: str) -> int | None:
    """The index of "cuda" or "cuda:1"; None for what names no GPU."""
    match = re.fullmatch(r"cuda(?::(\d+))?", device)
    return int(match[1] or 0) if match else None


def _open_device(model: Model, law: LatticeGaussian, seed: int, compute: Compute) -> Backend:
    """The backend that runs an ONNX model or checkpoint on one GPU."""
    backend, device, precision = compute.backend, compute.device, compute.precision
    if backend not in (AUTO, *_DEVICE_BACKENDS):
        raise InputError(
            f"backend {backend} runs on a CPU, not on {device}: expected --device cpu, or one of "
            f"{', '.join(_DEVICE_BACKENDS)}"
        )
    if precision not in (None, model.precision):
        raise InputError(
            f"precision {precision} is not to be had of an {model.precision} model on {device}: "
            f"export the checkpoint with --precision {precision}"
        )
    index = device_index(device)
    if index is None:
        raise InputError(
            f"device {device!r} is unknown: expected cpu, cuda:0 (or another GPU's number), or for "
            "certify and predict cuda:all or a list such as cuda:0,cuda:1"
        )
    require_gpu(index, "certifying on a GPU")
    return _on_gpu(index, lambda: open_network(model, index, backend, compute.batch), law, seed)


def _open_plan(model: Model, law: LatticeGaussian, seed: int, compute: Compute) -> Backend:
    """The backend that runs a TensorRT plan, whose batch and runtime are fixed."""
    backend, device, batch = compute.backend, compute.device, compute.batch
    if backend not in (AUTO, "tensorrt"):
        raise InputError(
            f"backend {backend!r} does not run the plan {model.path}: expected tensorrt"
        )
    index = device_index(device)
    if index is None:
        raise InputError(
            f"device {device!r} does not run the TensorRT plan {model.path}: expected --device "
            "cuda:0, or the ONNX model that it was built from"
        )
    if batch not in (None, model.batch):
        raise InputError(
            f"batch {batch} does not fit plan {model.path}, which was built for {model.batch}: "
            "leave --batch out, or build it again with another --batch"
        )
    require_gpu(index, "running a TensorRT engine")
    from smoothcert.engine.backends.tensorrt.network import TensorRTNetwork

    return _on_gpu(index, lambda: TensorRTNetwork(model, index), law, seed)


def _on_gpu(
    index: int,
    make_network: Callable[[], DeviceNetwork],
    law: LatticeGaussian,
    seed: int,
    num_slots: int = 64,
) -> Backend:
    from smoothcert.engine.backends.device.backend import DeviceBackend
    from smoothcert.engine.backends.device.opening import open_runtime

    # Before the network: it reports a driver too old for it, and makes the device's primary
    # context current, which both share.
    runtime = open_runtime(index)
    return DeviceBackend(runtime, make_network(), law, seed, num_slots=num_slots)


def open_network(model: Model, device: int, backend: str, batch: int | None) -> DeviceNetwork:
    """The network of the backend asked for; of "auto", the first whose packages are there."""
    openers: dict[str, Callable[[Model, int, int | None], DeviceNetwork]] = {
        "tensorrt": _tensorrt,
        "onnxruntime": _onnxruntime,
        "torch": _torch,
    }
    if backend != AUTO:
        return openers[backend](model, device, batch)
    reasons = []
    for name, opener in openers.items():
        try:
            return opener(model, device, batch)
        except (_UnavailableError, MissingPartError) as error:
            reasons.append(f"{name}: {error}")
    raise InputError(f"nothing installed runs {model.path} on a GPU ({'; '.join(reasons)})")


class _UnavailableError(InputError):
    """This backend is not for this installation or model; another one may be."""


def _tensorrt(model: Model, device: int, batch: int | None) -> DeviceNetwork:
    from smoothcert.engine.backends.tensorrt.network import TensorRTNetwork
    from smoothcert.engine.backends.tensorrt.options import BuildOptions
    from smoothcert.engine.backends.tensorrt.store import cached_plan, open_cached

    options = BuildOptions(batch=batch)
    _, network = open_cached(
        lambda: cached_plan(model.path, options, device=device),
        lambda plan: TensorRTNetwork(plan, device),
    )
    return network


def _onnxruntime(model: Model, device: int, batch: int | None) -> DeviceNetwork:
    from smoothcert.engine.backends.device.onnxruntime_network import (
        OnnxRuntimeDeviceNetwork,
        load_onnxruntime_gpu,
    )

    try:
        load_onnxruntime_gpu()
    except InputError as error:
        raise _UnavailableError(str(error)) from None
    return OnnxRuntimeDeviceNetwork(model, rows_of(model, batch), device)


def _torch(model: Model, device: int, batch: int | None) -> DeviceNetwork:
    if model.module is None:
        raise _UnavailableError(
            f"torch does not run the ONNX model {model.path}: expected the checkpoint that it was "
            "exported from, or another backend"
        )
    torch = require("torch", "export", "running a checkpoint on a GPU")
    if not torch.cuda.is_available():
        raise _UnavailableError(
            f"the installed torch {torch.__version__} has no CUDA: expected a build with it"
        )
    from smoothcert.engine.backends.device.torch_network import TorchDeviceNetwork

    return TorchDeviceNetwork(
        model.module(),
        model.spec,
        model.num_classes,
        rows_of(model, batch),
        device=f"cuda:{device}",
    )


def rows_of(model: Model, batch: int | None) -> int:
    """Rows per batch on a GPU: those asked for, the model's own where it is fixed, or a rule's.

    Raises InputError where the first two disagree.
    """
    own = model.batch_for(batch)
    return own or default_batch(model.spec.num_pixels * SCALAR_BYTES[model.input_type])
