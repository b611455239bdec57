"""Which backend runs a model: one door for ONNX files, checkpoints and plans, on a CPU or a GPU."""

import contextlib
import re
from dataclasses import replace

from smoothcert.engine.backends.base import AUTO, Backend, Compute, LogitsBackend, runtime_name
from smoothcert.engine.backends.device.backend import DeviceBackend
from smoothcert.engine.backends.device.driver import require_gpu
from smoothcert.engine.backends.device.opening import open_runtime
from smoothcert.engine.backends.first_batch import check_first_batch, passing
from smoothcert.engine.backends.gpu import open_on_gpu
from smoothcert.engine.backends.host.backend import HostBackend
from smoothcert.engine.backends.host.runtimes import HOST_RUNTIMES, open_host_network
from smoothcert.engine.backends.independence import examined, known_of_plan
from smoothcert.engine.backends.pair import PairBackend
from smoothcert.engine.backends.probe import compare_sizes
from smoothcert.engine.backends.tensorrt.plan import is_plan
from smoothcert.engine.base.cores import cores_for
from smoothcert.engine.base.doing import doing
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.failing import opening
from smoothcert.engine.base.ranges import BATCH
from smoothcert.engine.base.wording import shown
from smoothcert.engine.models.model import Model
from smoothcert.engine.models.openvino_ir import is_ir
from smoothcert.engine.models.row_independence.known import Known, known_of
from smoothcert.engine.noise.lattice import LatticeGaussian

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
    cannot be had, for a reference that does not see the model's images, and, saying why, for a
    model whose answer to an image is no function of that image alone (independence.py).
    """
    compute = compute or Compute()
    if reference is not None:
        _check_pair(model, reference)
    fast = _open_one(model, law, seed, compute)
    if reference is None:
        return fast
    return PairBackend(fast, _open_reference(reference, law, seed, compute, fast))


def _open_reference(
    model: Model, law: LatticeGaussian, seed: int, compute: Compute, fast: Backend
) -> Backend:
    """The reference where the fast model is: in its own precision, never tuned, and by the same
    runtime, so that a run that is resumed or audited compares with the same network; by what auto
    takes where that runtime does not run it, or runs plans."""
    batch = None if isinstance(model.batch, int) else fast.batch_size
    same = replace(compute, batch=batch, precision=None, tune=False)
    runtime = runtime_name(fast.describe())
    if runtime in BACKENDS and runtime != "tensorrt" and not is_plan(model.path):
        with contextlib.suppress(InputError):
            return _open_one(model, law, seed, replace(same, backend=runtime))
    return _open_one(model, law, seed, replace(same, backend=AUTO))


def _open_one(model: Model, law: LatticeGaussian, seed: int, compute: Compute) -> LogitsBackend:
    with opening(f"model {model.given}"), doing("preparing the network"):
        return _open_whole(model, law, seed, compute)


def _open_whole(model: Model, law: LatticeGaussian, seed: int, compute: Compute) -> LogitsBackend:
    name = f"model {model.given}"
    if is_plan(model.path):
        known = known_of_plan(model)
        return examined(_open_plan(model, law, seed, compute), name, known)
    if compute.backend not in BACKENDS:
        raise InputError(
            f"backend {compute.backend!r} is unknown: expected one of {', '.join(BACKENDS)}"
        )
    if compute.batch is not None:
        BATCH.check(compute.batch)
    rows = model.batch_for(compute.batch)
    known = _known(model, compute, rows)
    backend = examined(_open_unexamined(model, law, seed, compute), name, known)
    if known.verdict == "probed" and known.batch is None and not isinstance(model.batch, int):
        try:
            _check_other_size(backend, model, law, seed, compute)
        except BaseException:
            backend.close()
            raise
    return backend


def _known(model: Model, compute: Compute, rows: int | None) -> Known:
    """What is known of the graph before it runs; raises InputError for one that is refused, and
    where OpenVINO IR is to be run by anything but OpenVINO."""
    if not is_ir(model.path):
        return known_of(model.path, model.sha256, model.spec.shape, rows, model.given)
    asked = [("backend", compute.backend)] if compute.backend not in (AUTO, "openvino") else []
    asked += [("device", compute.device)] if compute.device != "cpu" else []
    for option, value in asked:
        raise InputError(
            f"{option} {value} does not run model {model.given}, which is OpenVINO IR: expected "
            "--backend openvino on the CPU, or the ONNX file that it was converted from"
        )
    return Known("probed", "OpenVINO IR shows no ONNX graph")


def _open_unexamined(
    model: Model, law: LatticeGaussian, seed: int, compute: Compute
) -> LogitsBackend:
    backend, device = compute.backend, compute.device
    if backend == AUTO and is_ir(model.path):
        backend = "openvino"
    if device != "cpu":
        return open_on_gpu(model, law, seed, compute, _gpu_index(device))
    if backend not in (AUTO, *HOST_RUNTIMES):
        raise InputError(f"backend {backend} runs on a GPU: expected --device cuda:0 with it")
    if compute.tune:
        raise InputError("tune is of a GPU's networks: expected --device cuda:0 with it")
    threads = cores_for(compute.threads)
    network = open_host_network(model, backend, compute.precision, compute.batch, threads)
    return HostBackend(network, law, seed, threads=threads)


def _check_other_size(
    backend: LogitsBackend, model: Model, law: LatticeGaussian, seed: int, compute: Compute
) -> None:
    """Raise InputError where a model that is not proven gives a row other logits in batches of
    another size, in which another machine may run it."""
    if compute.device != "cpu":
        if model.input_type != "bfloat16":  # which ONNX Runtime does not run on a CPU
            check_first_batch(backend, model, law, seed, equal=True)
        return
    other = 2 if backend.batch_size != 2 else 3
    described = backend.describe()
    runtime, precision = runtime_name(described), str(described["precision"])
    network = open_host_network(model, runtime, precision, other, described["threads"])
    compare_sizes(backend, HostBackend(network, law, seed), f"model {model.given}")


def _check_pair(model: Model, reference: Model) -> None:
    """Raise InputError for models that do not see the same image: of another shape, or that resize
    photographs otherwise. (Their normalisations may differ.)"""
    one, other = model.spec, reference.spec
    if (one.resize, one.interpolation) != (other.resize, other.interpolation):
        raise InputError(
            f"the reference {reference.given} resizes photographs to {other.resize} "
            f"{other.interpolation}, the model to {one.resize} {one.interpolation}: expected the "
            "same, or they see different images"
        )
    if one.shape != other.shape or model.num_classes != reference.num_classes:
        raise InputError(
            f"the reference {reference.given} maps {other.shape} to {reference.num_classes} "
            f"classes, the model {one.shape} to {model.num_classes}: expected the same"
        )


def device_index(device: str) -> int | None:
    """The index of "cuda" or "cuda:1"; None for what names no GPU."""
    match = re.fullmatch("cuda(?::([0-9]{1,4}))?", device)
    return int(match[1] or 0) if match else None


def _gpu_index(device: str) -> int:
    index = device_index(device)
    if index is None:
        raise InputError(
            f"device {shown(device)} is unknown: expected cpu, cuda:0 (or another GPU's number), "
            "or for certify and predict cuda:all or a list such as cuda:0,cuda:1"
        )
    return index


def _open_plan(model: Model, law: LatticeGaussian, seed: int, compute: Compute) -> DeviceBackend:
    """The backend that runs a TensorRT plan, whose batch and runtime are fixed."""
    backend, device, batch = compute.backend, compute.device, compute.batch
    if backend not in (AUTO, "tensorrt"):
        raise InputError(
            f"backend {backend!r} does not run the plan {model.given}: expected tensorrt"
        )
    index = device_index(device)
    if index is None:
        raise InputError(
            f"device {device!r} does not run the TensorRT plan {model.given}: expected --device "
            "cuda:0, or the ONNX model that it was built from"
        )
    if batch not in (None, model.batch):
        raise InputError(
            f"batch {batch} does not fit plan {model.given}, which was built for {model.batch}: "
            "leave --batch out, or build it again with another --batch"
        )
    require_gpu(index, "running a TensorRT engine")
    from smoothcert.engine.backends.tensorrt.network import TensorRTNetwork

    runtime = open_runtime(index)
    with runtime.current():
        opened = DeviceBackend(runtime, TensorRTNetwork(model, index), law, seed)
        return passing(opened, model, law, seed, equal=False)
