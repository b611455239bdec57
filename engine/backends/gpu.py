"""Which network runs a model on a GPU: backend, precision and batch, the fastest that can be had.

`auto` tries TensorRT, then torch, then ONNX Runtime; whatever the reason for which one cannot be
had, the next is tried and the reason is kept. What was asked for by name is taken or refused.
"""

import gc
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from smoothcert.engine.backends.base import AUTO, PASSED_OVER, Compute
from smoothcert.engine.backends.device.backend import DeviceBackend
from smoothcert.engine.backends.device.driver import Gpu, require_gpu
from smoothcert.engine.backends.device.network import DeviceNetwork, default_batch
from smoothcert.engine.backends.device.onnxruntime_network import load_onnxruntime_gpu
from smoothcert.engine.backends.device.opening import open_runtime
from smoothcert.engine.backends.device.runtime import DeviceRuntime
from smoothcert.engine.backends.first_batch import OverflowsError, passing
from smoothcert.engine.base.errors import DeviceMemoryError, InputError, one_line, require
from smoothcert.engine.base.input_spec import HALF_PRECISIONS, SCALAR_BYTES
from smoothcert.engine.models.model import Model
from smoothcert.engine.noise.lattice import LatticeGaussian

DEVICE_BACKENDS = ("tensorrt", "torch", "onnxruntime")
"""In the order in which auto tries them."""

_FEWEST_ROWS = 8


@dataclass
class Opening:
    """A model to be opened on GPU number `index`, and why what was tried before was not taken."""

    model: Model
    law: LatticeGaussian
    seed: int
    compute: Compute
    index: int
    passed_over: dict[str, str] = field(default_factory=dict)
    memory_is_out: bool = False

    def precisions(self) -> tuple[str, ...]:
        """Those to try in turn: auto takes half precision where the model bears it."""
        own, asked = self.model.precision, self.compute.precision
        if asked != AUTO:
            return (asked or own,)
        return (*HALF_PRECISIONS, own) if own == "fp32" else (own,)

    def pass_over(self, backend: str, precision: str, error: Exception) -> None:
        """Keep why a backend was not taken in a precision."""
        several = self.compute.precision == AUTO
        name = f"{backend} in {precision}" if several else backend
        self.passed_over[name] = one_line(error, 400)
        self.memory_is_out |= isinstance(error, DeviceMemoryError)

    def refusal(self) -> InputError:
        """The error where nothing is left to try."""
        reasons = "; ".join(f"{name}: {why}" for name, why in self.passed_over.items())
        kind = DeviceMemoryError if self.memory_is_out else InputError
        return kind(f"nothing installed runs {self.model.given} on a GPU ({reasons})")


class _NoneWorksError(Exception):
    """No backend could be had in this precision."""


def open_on_gpu(
    model: Model, law: LatticeGaussian, seed: int, compute: Compute, index: int
) -> DeviceBackend:
    """The backend that runs an ONNX model or checkpoint on a GPU.

    Raises InputError, with the reasons, where nothing does; OverflowsError where the precision
    asked for is too small for the model; DeviceMemoryError where the batch asked for does not fit
    (one that was not asked for is halved until it does).
    """
    if compute.backend not in (AUTO, *DEVICE_BACKENDS):
        raise InputError(
            f"backend {compute.backend} runs on a CPU, not on {compute.device}: expected --device "
            f"cpu, or one of {', '.join(DEVICE_BACKENDS)}"
        )
    model.batch_for(compute.batch)
    require_gpu(index, "certifying on a GPU")
    opening = Opening(model, law, seed, compute, index)
    runtime = open_runtime(index)
    *preferred, last = opening.precisions()
    with runtime.current():
        for precision in preferred:
            try:
                return _first_that_works(opening, runtime, precision)
            except OverflowsError as error:
                opening.passed_over[precision] = one_line(error, 400)
            except _NoneWorksError:
                pass
            _release(runtime)
        try:
            return _first_that_works(opening, runtime, last)
        except _NoneWorksError:
            raise opening.refusal() from None


def _first_that_works(opening: Opening, runtime: DeviceRuntime, precision: str) -> DeviceBackend:
    asked = opening.compute.backend
    if asked != AUTO:
        try:
            return _fitting(opening, runtime, asked, precision)
        except InputError as error:
            told = isinstance(error, OverflowsError | DeviceMemoryError)
            if told or opening.compute.precision != AUTO:
                raise
            opening.pass_over(asked, precision, error)
        except RuntimeError as error:
            raise InputError(
                f"{asked} cannot run model {opening.model.given} on {opening.compute.device} "
                f"({one_line(error)}): expected another --backend"
            ) from None
        raise _NoneWorksError
    for name in DEVICE_BACKENDS:
        try:
            return _fitting(opening, runtime, name, precision)
        except OverflowsError:
            raise  # in another backend it would be the same
        except Exception as error:  # libraries of a GPU fail in ways of their own
            opening.pass_over(name, precision, error)
        _release(runtime)
    raise _NoneWorksError


def _fitting(opening: Opening, runtime: DeviceRuntime, name: str, precision: str) -> DeviceBackend:
    """The backend on the batch asked for, or else on the largest that fits."""
    model, batch = opening.model, opening.compute.batch
    rows = rows_of(model, batch, precision)
    given = batch is not None or isinstance(model.batch, int)
    while True:
        try:
            return _open(opening, runtime, name, precision, batch)
        except DeviceMemoryError:
            if given or rows <= _FEWEST_ROWS:
                raise
        rows //= 2
        batch = rows
        _release(runtime)


def _open(
    opening: Opening, runtime: DeviceRuntime, name: str, precision: str, batch: int | None
) -> DeviceBackend:
    model, law, seed = opening.model, opening.law, opening.seed
    network = OPENERS[name](opening, precision, batch)
    notes = {PASSED_OVER: dict(opening.passed_over)} if opening.passed_over else {}
    backend = DeviceBackend(runtime, network, law, seed, notes=notes)
    return passing(backend, model, law, seed, equal=name == "torch")


def _release(runtime: DeviceRuntime) -> None:
    """Give back what an attempt held, torch's share too."""
    gc.collect()
    runtime.release()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()


def own_precision(model: Model, precision: str, backend: str) -> None:
    """Raise InputError unless the precision is the file's own, which alone `backend` runs."""
    if precision != model.precision:
        raise InputError(
            f"precision {precision} is not to be had of an {model.precision} model from {backend}: "
            f"export the checkpoint with --precision {precision}, or use --backend torch"
        )


def _tensorrt(opening: Opening, precision: str, batch: int | None) -> DeviceNetwork:
    from smoothcert.engine.backends.tensorrt.network import TensorRTNetwork
    from smoothcert.engine.backends.tensorrt.options import BuildOptions
    from smoothcert.engine.backends.tensorrt.store import cached_plan, open_cached

    model, index = opening.model, opening.index
    own_precision(model, precision, "tensorrt")
    options = BuildOptions(batch=batch)
    _, network = open_cached(
        lambda: cached_plan(model.path, options, device=index),
        lambda plan: TensorRTNetwork(plan, index),
    )
    return network


def _torch(opening: Opening, precision: str, batch: int | None) -> DeviceNetwork:
    device = torch_device(opening.index)
    from smoothcert.engine.backends.device.torch_opening import open_torch_network

    model = opening.model
    rows = rows_of(model, batch, precision)
    return open_torch_network(model, rows, precision, device, tune=opening.compute.tune)


def _onnxruntime(opening: Opening, precision: str, batch: int | None) -> DeviceNetwork:
    from smoothcert.engine.backends.device.onnxruntime_network import OnnxRuntimeDeviceNetwork

    model = opening.model
    own_precision(model, precision, "onnxruntime")
    rows = rows_of(model, batch, precision)
    return OnnxRuntimeDeviceNetwork(model, rows, opening.index, tune=opening.compute.tune)


OPENERS: dict[str, Callable[[Opening, str, int | None], DeviceNetwork]] = {
    "tensorrt": _tensorrt,
    "torch": _torch,
    "onnxruntime": _onnxruntime,
}
"""What makes each backend's network: (opening, precision, batch or None) -> DeviceNetwork."""


def availability(gpu: Gpu) -> dict[str, str | None]:
    """Backend -> why it cannot be had on a GPU, None where it can, in the order of auto.

    No model is opened: its own graph may still be refused.
    """
    found: dict[str, str | None] = {}
    for name, check in (
        ("tensorrt", lambda: _require_tensorrt(gpu)),
        ("torch", lambda: torch_device(gpu.index)),
        ("onnxruntime", load_onnxruntime_gpu),
    ):
        try:
            check()
        except Exception as error:  # libraries of a GPU fail in ways of their own
            found[name] = one_line(error)
        else:
            found[name] = None
    return found


def _require_tensorrt(gpu: Gpu) -> None:
    from smoothcert.engine.backends.tensorrt import rtx
    from smoothcert.engine.backends.tensorrt.module import load_tensorrt

    module = load_tensorrt(None, "running an engine")
    if module.rtx:
        rtx.require_capability(module, gpu)


def torch_device(index: int) -> str:
    """What torch calls GPU number `index`; raises InputError where torch cannot use it."""
    torch: Any = require("torch", "export", "running a network in torch")
    if not torch.cuda.is_available():
        raise InputError(
            f"the installed torch {torch.__version__} has no CUDA that works here: expected a "
            "build with it, and a driver that is new enough"
        )
    return f"cuda:{index}"


def rows_of(model: Model, batch: int | None, precision: str | None = None) -> int:
    """Rows per batch on a GPU: those asked for, the model's own where it is fixed, or a rule's.

    precision  of the run; None for the model's own
    Raises InputError where the first two disagree.
    """
    own = model.batch_for(batch)
    size = SCALAR_BYTES[model.input_type]
    if precision in HALF_PRECISIONS:
        size = SCALAR_BYTES["float16"]
    return own or default_batch(model.spec.num_pixels * size)
