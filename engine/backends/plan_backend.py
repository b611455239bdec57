"""A TensorRT plan as a backend: what `--device` and `--batch` may be, and the parts it takes."""

import re

from smoothcert.engine.backends.base import Backend
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.cuda_driver import require_gpu
from smoothcert.engine.models import Model
from smoothcert.engine.noise.lattice import LatticeGaussian


def device_index(device: str) -> int | None:
    """The index of "cuda" or "cuda:1"; None for what names no GPU."""
    match = re.fullmatch(r"cuda(?::(\d+))?", device)
    return int(match[1] or 0) if match else None


def open_plan_backend(
    model: Model,
    law: LatticeGaussian,
    seed: int,
    *,
    backend: str = "auto",
    device: str = "cpu",
    batch: int | None = None,
) -> Backend:
    """The device backend that runs a plan.

    Raises InputError for another backend or batch than the plan's, for a device that is no GPU,
    and as TensorRTNetwork does.
    """
    if backend not in ("auto", "tensorrt"):
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
    from smoothcert.engine.backends.device import DeviceBackend
    from smoothcert.engine.backends.tensorrt_network import TensorRTNetwork
    from smoothcert.engine.device.opening import open_runtime

    # First: it reports a driver too old for it, and makes the context that TensorRT shares.
    runtime = open_runtime(index)
    return DeviceBackend(runtime, TensorRTNetwork(model, index), law, seed)
