"""Backends: deterministic functions from rows to votes, one file per runtime."""

from smoothcert.engine.backends.base import Backend
from smoothcert.engine.backends.host import HostBackend
from smoothcert.engine.backends.host_runtimes import AUTO, HOST_RUNTIMES, open_host_network
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.machine import usable_cores
from smoothcert.engine.models import Model
from smoothcert.engine.noise.lattice import LatticeGaussian
from smoothcert.engine.plan import is_plan

_DEVICE_BACKENDS = ("onnxruntime", "tensorrt", "torch")
BACKENDS = (AUTO, *HOST_RUNTIMES, "tensorrt", "torch")


def open_backend(
    model: Model,
    law: LatticeGaussian,
    seed: int,
    *,
    backend: str = AUTO,
    device: str = "cpu",
    precision: str | None = None,
    batch: int | None = None,
    threads: int | None = None,
) -> Backend:
    """The backend that runs a model file.

    backend    one of BACKENDS; auto takes the fastest, measured once per model and machine
    precision  None for the model's own; bf16 runs an fp32 model in bfloat16
    batch      rows per batch; None measures the fastest once per model and machine
    threads    cores to use; None for all usable ones
    Raises InputError for a backend, device, precision or batch that cannot be had.
    """
    if is_plan(model.path):
        from smoothcert.engine.backends.plan_backend import open_plan_backend

        return open_plan_backend(model, law, seed, backend=backend, device=device, batch=batch)
    if backend not in BACKENDS:
        raise InputError(f"backend {backend!r} is unknown: expected one of {', '.join(BACKENDS)}")
    if batch is not None and batch < 1:
        raise InputError(f"batch {batch} is too small: expected at least 1")
    if device != "cpu":
        if backend not in (AUTO, *_DEVICE_BACKENDS):
            raise InputError(
                f"backend {backend} runs on a CPU, not on {device}: expected --device cpu, or "
                f"one of {', '.join(_DEVICE_BACKENDS)}"
            )
        if precision not in (None, model.precision):
            raise InputError(
                f"precision {precision} is not to be had of an {model.precision} model on "
                f"{device}: export the checkpoint with --precision {precision}"
            )
        from smoothcert.engine.backends.open_device import open_device_backend

        return open_device_backend(model, law, seed, backend=backend, device=device, batch=batch)
    if backend not in (AUTO, *HOST_RUNTIMES):
        raise InputError(f"backend {backend} runs on a GPU: expected --device cuda:0 with it")
    threads = threads or usable_cores()
    network = open_host_network(model, backend, precision, batch, threads)
    return HostBackend(network, law, seed, threads=threads)
