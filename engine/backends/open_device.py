"""The backend of `--device cuda:0`: which runtime runs the model, or why none can."""

from collections.abc import Callable

from smoothcert.engine.backends.base import Backend
from smoothcert.engine.backends.device_network import SCALAR_BYTES, DeviceNetwork
from smoothcert.engine.backends.plan_backend import device_index
from smoothcert.engine.base.errors import InputError, MissingPartError, require
from smoothcert.engine.cuda_driver import require_gpu
from smoothcert.engine.models import Model
from smoothcert.engine.noise.lattice import LatticeGaussian

_PURPOSE = "certifying on a GPU"


def open_device_backend(
    model: Model,
    law: LatticeGaussian,
    seed: int,
    *,
    backend: str = "auto",
    device: str = "cuda:0",
    batch: int | None = None,
) -> Backend:
    """The device backend that runs an ONNX model or checkpoint on one GPU.

    backend  "tensorrt" builds an engine, once per GPU and model; "onnxruntime" takes its CUDA
             provider; "torch" runs a checkpoint's module; "auto" is the first of these that is
             installed
    batch    rows per batch; None for a rule by the input's size
    Raises InputError, naming what is missing, where the device or the backend cannot be had.
    """
    index = device_index(device)
    if index is None:
        raise InputError(
            f"device {device!r} is unknown: expected cpu, cuda:0 (or another GPU's number), or for "
            "certify and predict cuda:all or a list such as cuda:0,cuda:1"
        )
    require_gpu(index, _PURPOSE)
    from smoothcert.engine.backends.device import DeviceBackend
    from smoothcert.engine.device.opening import open_runtime

    # Before the network: it makes the device's primary context current, which they share.
    runtime = open_runtime(index)
    return DeviceBackend(runtime, open_network(model, index, backend, batch), law, seed)


def open_network(model: Model, device: int, backend: str, batch: int | None) -> DeviceNetwork:
    """The network of the backend asked for; of "auto", the first whose packages are there."""
    openers: dict[str, Callable[[Model, int, int | None], DeviceNetwork]] = {
        "tensorrt": _tensorrt,
        "onnxruntime": _onnxruntime,
        "torch": _torch,
    }
    if backend != "auto":
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
    # The engine reaches up: an ONNX model has to be built first.
    from smoothcert.engine.backends.tensorrt_network import TensorRTNetwork
    from smoothcert.export.engine_cache import cached_plan, open_cached
    from smoothcert.export.engine_options import BuildOptions

    options = BuildOptions(batch=batch)
    _, network = open_cached(
        lambda: cached_plan(model.path, options, device=device),
        lambda plan: TensorRTNetwork(plan, device),
    )
    return network


def _onnxruntime(model: Model, device: int, batch: int | None) -> DeviceNetwork:
    from smoothcert.engine.backends.onnxruntime_cuda import (
        OnnxRuntimeDeviceNetwork,
        load_onnxruntime_gpu,
    )

    try:
        load_onnxruntime_gpu()
    except InputError as error:
        raise _UnavailableError(str(error)) from None
    return OnnxRuntimeDeviceNetwork(model, rows_of(model, batch), device)


def _torch(model: Model, device: int, batch: int | None) -> DeviceNetwork:
    if model.checkpoint is None:
        raise _UnavailableError(
            f"torch does not run the ONNX model {model.path}: expected the checkpoint that it was "
            "exported from, or another backend"
        )
    torch = require("torch", "export", "running a checkpoint on a GPU")
    if not torch.cuda.is_available():
        raise _UnavailableError(
            f"the installed torch {torch.__version__} has no CUDA: expected a build with it"
        )
    # The engine reaches up: what a checkpoint's weights are put into is export's to know.
    from smoothcert.engine.backends.torch_device import TorchDeviceNetwork
    from smoothcert.export.architectures import architecture
    from smoothcert.export.checkpoint import load_weights, read_checkpoint

    arch = str(model.metadata["arch"])
    module = architecture(arch, model.num_classes, model.spec.shape)
    load_weights(module, read_checkpoint(model.checkpoint), arch)
    return TorchDeviceNetwork(
        module, model.spec, model.num_classes, rows_of(model, batch), device=f"cuda:{device}"
    )


def rows_of(model: Model, batch: int | None) -> int:
    """Rows per batch: those asked for, the model's own where it is fixed, or a rule's.

    Raises InputError where the first two disagree.
    """
    if isinstance(model.batch, int):
        if batch not in (None, model.batch):
            raise InputError(
                f"batch {batch} does not fit model {model.path}, whose batch is fixed at "
                f"{model.batch}: leave --batch out, or export with an open batch dimension"
            )
        return model.batch
    if batch is not None:
        return batch
    from smoothcert.export.engine_options import default_batch

    return default_batch(model.spec.num_pixels * SCALAR_BYTES[model.input_type])
