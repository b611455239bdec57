"""Backends: deterministic functions from rows to votes, one file per runtime."""

from smoothcert.engine.backends.base import Backend
from smoothcert.engine.backends.host import HostBackend
from smoothcert.engine.environment import processor_name, usable_cores
from smoothcert.engine.errors import InputError
from smoothcert.engine.lattice import LatticeGaussian
from smoothcert.engine.models import Model
from smoothcert.engine.onnx_session import load_onnxruntime

BACKENDS = ("auto", "onnxruntime")


def open_backend(
    model: Model,
    law: LatticeGaussian,
    seed: int,
    *,
    backend: str = "auto",
    device: str = "cpu",
    batch: int | None = None,
    threads: int | None = None,
) -> Backend:
    """The backend that runs a model file.

    batch    rows per batch; None measures the fastest once per model and machine
    threads  cores to use; None for all usable ones
    Raises InputError for a backend, device or batch that cannot be had.
    """
    from smoothcert.engine.backends.onnxruntime_network import OnnxRuntimeNetwork

    if backend not in BACKENDS:
        raise InputError(f"backend {backend!r} is unknown: expected one of {', '.join(BACKENDS)}")
    if device != "cpu":
        raise InputError(f"device {device!r} cannot be used by this version: expected cpu")
    if batch is not None and batch < 1:
        raise InputError(f"batch {batch} is too small: expected at least 1")
    threads = threads or usable_cores()

    def build(size: int) -> OnnxRuntimeNetwork:
        return OnnxRuntimeNetwork(model, size, threads)

    if isinstance(model.batch, int):
        if batch not in (None, model.batch):
            raise InputError(
                f"batch {batch} does not fit model {model.path}, whose batch is fixed at "
                f"{model.batch}: leave --batch out, or export with an open batch dimension"
            )
        batch = model.batch
    if batch is None:
        from smoothcert.engine.backends.batch_size import remembered_batch_size

        identity: dict[str, object] = {
            "model": model.sha256,
            "runtime": f"onnxruntime {load_onnxruntime().__version__}",
            "threads": threads,
            "processor": processor_name(),
        }
        batch = remembered_batch_size(identity, build, model.spec.num_pixels)
    return HostBackend(build(batch), law, seed, threads=threads)
