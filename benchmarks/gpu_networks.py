"""Samples per second of each network on a GPU: as a pipeline, and bare.

The pipeline is the product's whole loop over an endless source (scheduler, noise, network, votes,
procedure), so that no batch is partly filled; bare is the network alone, launched as in the loop.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any

import torch
from gpu_machine import Machine, SkippedError, Workload, in_turns, ratio, spread

from smoothcert.engine.backends.base import Backend, Compute
from smoothcert.engine.backends.device.backend import DeviceBackend
from smoothcert.engine.backends.device.network import DeviceNetwork
from smoothcert.engine.backends.device.onnxruntime_network import (
    OnnxRuntimeDeviceNetwork,
    load_onnxruntime_gpu,
)
from smoothcert.engine.backends.device.torch_network import TorchDeviceNetwork
from smoothcert.engine.backends.gpu import open_on_gpu
from smoothcert.engine.backends.torch_graph.variants import Recipe
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.input_spec import PRECISIONS
from smoothcert.engine.bench.loops import CertificationLoop, RuntimeLoop
from smoothcert.engine.bench.rounds import Loop
from smoothcert.engine.models.model import Model
from smoothcert.engine.noise.lattice import LatticeGaussian
from smoothcert.export.precision.reduce import Precision
from smoothcert.export.random_model import write_random_model

SIGMA = 0.25


def torch_variants(machine: Machine, work: str, precision: str) -> dict[str, Any]:
    """The torch network eager and fused, in turns."""
    backends, seconds = {}, {}
    for variant in ("eager", "fused"):
        opened = torch_opener(machine, machine.workload(work), precision, variant)
        backends[variant], seconds[variant] = _timed(lambda o=opened: _backend(machine, o()))  # type: ignore[misc]
    return rates_of(machine, backends, seconds)


def torch_tuned(machine: Machine, work: str, precision: str) -> dict[str, Any]:
    """The torch network that tuning takes; its description has the rates of all that were tried."""
    opened = torch_opener(machine, machine.workload(work), precision, "tuned")
    backend, seconds = _timed(lambda: _backend(machine, opened()))
    return rates_of(machine, {"tuned": backend}, {"tuned": seconds})


def onnxruntime(machine: Machine, work: str, precision: Precision, *, tune: bool) -> dict[str, Any]:
    """ONNX Runtime's CUDA provider; tuned, the description has the rates of all its settings."""
    if machine.on_gpu:
        try:
            load_onnxruntime_gpu()
        except InputError as error:
            raise SkippedError(str(error)) from None
    model, batch = _model(machine, work, precision), machine.workload(work).batch
    index = 0 if machine.on_gpu else None
    backend, seconds = _timed(
        lambda: _backend(machine, OnnxRuntimeDeviceNetwork(model, batch, index, tune=tune))
    )
    name = "tuned" if tune else "as it is"
    return rates_of(machine, {name: backend}, {name: seconds})


def front_door(machine: Machine, work: str, precision: str) -> dict[str, Any]:
    """An ONNX file as `certify --device cuda:0` opens it, its first batch compared with the CPU."""
    model, batch = _model(machine, work, "fp32"), machine.workload(work).batch
    compute = Compute(device="cuda:0", precision=precision, batch=batch)
    backend, seconds = _timed(lambda: open_on_gpu(model, LatticeGaussian(SIGMA), 0, compute, 0))
    return rates_of(machine, {"auto": backend}, {"auto": seconds})


def torch_opener(
    machine: Machine, work: Workload, precision: str, variant: str
) -> Callable[[], DeviceNetwork]:
    """What makes the torch network of a workload: eager, fused, or tuned over all there is."""

    def opened() -> DeviceNetwork:
        scalar = PRECISIONS[precision]
        recipe = Recipe(work.module(), scalar, torch.device(machine.torch_device))
        return TorchDeviceNetwork(
            recipe.eager() if variant == "eager" else recipe.fused(),
            work.spec,
            work.classes,
            work.batch,
            scalar=scalar,
            channels_last=True,
            device=machine.torch_device,
            tune_over=recipe.variants() if variant == "tuned" else None,
        )

    return opened


def loops_of(name: str, backend: Backend) -> dict[str, Loop]:
    """A backend's two loops, "<name> pipeline" and "<name> bare"."""
    return {
        f"{name} pipeline": CertificationLoop(backend, SIGMA),
        f"{name} bare": RuntimeLoop(backend),
    }


def rates_of(
    machine: Machine, backends: Mapping[str, Backend], opened_in: Mapping[str, float]
) -> dict[str, Any]:
    """Samples per second of each backend, and what opening it took; closes them."""
    loops: dict[str, Loop] = {}
    for name, backend in backends.items():
        loops |= loops_of(name, backend)
    rates = in_turns(machine, loops)
    result: dict[str, Any] = {"line": "", "batch": next(iter(backends.values())).batch_size}
    said = []
    for name, backend in backends.items():
        described = backend.describe()
        pipeline, bare = rates[f"{name} pipeline"], rates[f"{name} bare"]
        result[name] = {
            "pipeline_samples_per_second": spread(pipeline),
            "bare_samples_per_second": spread(bare),
            "pipeline_over_bare": ratio(pipeline, bare),
            "opened_in_seconds": round(opened_in[name], 2),
            "backend": described,
        }
        said.append(f"{title(name, described)} {figures(pipeline, bare)}")
        backend.close()
    result["line"] = "; ".join(said)
    return result


def title(name: str, described: Mapping[str, Any]) -> str:
    """A backend's name, with what tuning took."""
    return f"{name} ({described['took']})" if "took" in described else name


def figures(loop: list[float], bare: list[float]) -> str:
    """The medians: loop (bare)."""
    return f"{spread(loop)['median']:,.0f} ({spread(bare)['median']:,.0f})"


def _backend(machine: Machine, network: DeviceNetwork) -> Backend:
    return DeviceBackend(machine.runtime, network, LatticeGaussian(SIGMA), 0)


def _model(machine: Machine, work: str, precision: Precision) -> Model:
    workload = machine.workload(work)
    path = machine.folder / f"{workload.arch}_{precision}.onnx"
    path.unlink(missing_ok=True)
    return write_random_model(
        workload.arch,
        path,
        input_shape=workload.spec.shape,
        num_classes=workload.classes,
        precision=precision,
        target="gpu",
    )


def _timed(work: Callable[[], Backend]) -> tuple[Backend, float]:
    start = time.perf_counter()
    done = work()
    return done, time.perf_counter() - start
