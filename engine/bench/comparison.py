"""One model, one process: our loop, the original's, the bare runtime and the processor's limit."""

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smoothcert.engine.backends.base import PASSED_OVER, Backend, Compute, runtime_name
from smoothcert.engine.backends.host.runtimes import HOST_RUNTIMES
from smoothcert.engine.backends.opening import open_backend
from smoothcert.engine.base.cores import cores_for
from smoothcert.engine.base.machine import describe_machine
from smoothcert.engine.base.ranges import BATCH, ROUNDS, SECONDS, SIGMA
from smoothcert.engine.bench import peak
from smoothcert.engine.bench.flops import flops_per_sample
from smoothcert.engine.bench.loops import N0, CertificationLoop, N, RuntimeLoop
from smoothcert.engine.bench.rounds import Loop, Rate, measure_rates, ratios
from smoothcert.engine.models.model import Model
from smoothcert.engine.noise.lattice import LatticeGaussian

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class BenchSettings:
    """What is measured, and how long. Raises InputError for numbers out of range."""

    sigma: float = 0.25
    compute: Compute = field(default_factory=Compute)
    reference_batch: int = 1000
    rounds: int = 15
    seconds: float = 0.5

    def __post_init__(self) -> None:
        """Refuse what cannot be measured."""
        SIGMA.check(self.sigma)
        BATCH.check(self.reference_batch, "reference-batch")
        ROUNDS.check(self.rounds)
        SECONDS.check(self.seconds)


def compare(
    model: Model,
    module: "torch.nn.Module | None",
    settings: BenchSettings,
    *,
    runtime: bool = True,
    limit: bool = True,
) -> dict[str, Any]:
    """Measure; returns a JSON-serialisable record of figures, None for what was not measured.

    module   the same network in torch, for the original's loop; None leaves that out
    runtime  measure the bare runtime too
    limit    measure the processor's limit too, where the backend's runtime can

    All rates are medians over rounds in samples per second, all ratios medians of the ratios round
    by round; `spread` has the quartiles of both.
    """
    backend = open_backend(
        model,
        LatticeGaussian(settings.sigma),
        0,
        settings.compute,
    )
    described = backend.describe()
    threads = cores_for(settings.compute.threads)
    ours = CertificationLoop(backend, settings.sigma)
    loops: list[Loop] = [ours]
    if runtime:
        loops.append(RuntimeLoop(backend))
    if module is not None:
        loops += _references(model, module, settings, backend, threads)
    if limit:
        loops += _limit(described, threads)
    rates = measure_rates(loops, settings.rounds, settings.seconds)
    return {
        **_figures(rates),
        "backend": runtime_name(described),
        "runtime": described["runtime"],
        PASSED_OVER: described.get(PASSED_OVER, {}),
        "took": described.get("took"),
        "precision": described.get("precision", model.precision),
        "batch": backend.batch_size,
        "device": settings.compute.device,
        "threads": described.get("threads", threads),
        "reference_batch": settings.reference_batch if module is not None else None,
        "stages": _stages(ours),
        **_share_of_limit(model, rates),
        "model": model.given.name,
        "arch": model.metadata.get("arch"),
        "input_shape": list(model.spec.shape),
        "classes": model.num_classes,
        "sigma": settings.sigma,
        "n0": N0,
        "n": N,
        "rounds": settings.rounds,
        "seconds_per_round": settings.seconds,
        "machine": describe_machine(),
    }


def _references(
    model: Model,
    module: "torch.nn.Module",
    settings: BenchSettings,
    backend: Backend,
    threads: int,
) -> list[Loop]:
    import torch

    from smoothcert.engine.bench.compiled import CompiledLoop
    from smoothcert.engine.bench.reference import ReferenceLoop

    torch.set_num_threads(threads)
    kinds: dict[str, tuple[type[ReferenceLoop] | type[CompiledLoop], int]] = {
        "reference": (ReferenceLoop, settings.reference_batch),
        "reference_same_batch": (ReferenceLoop, backend.batch_size),
    }
    device = settings.compute.device
    if device != "cpu":
        kinds["compiled"] = (CompiledLoop, backend.batch_size)
    shape, classes = model.spec.shape, model.num_classes
    return [
        kind(name, module, shape, classes, settings.sigma, batch, device)
        for name, (kind, batch) in kinds.items()
    ]


def _limit(described: dict[str, Any], threads: int) -> list[Loop]:
    name, precision = runtime_name(described), described.get("precision")
    if name not in HOST_RUNTIMES or precision not in peak.PRECISIONS:
        return []
    with tempfile.TemporaryDirectory() as folder:
        return [peak.PeakLoop(name, precision, threads, Path(folder))]


def _figures(rates: dict[str, Rate]) -> dict[str, Any]:
    ours = rates["certification"]
    figures: dict[str, Any] = {"samples_per_second": ours.median}
    spread = {"samples_per_second": ours.spread}
    for name, ratio in (
        ("reference", "speedup_over_reference"),
        ("reference_same_batch", "speedup_over_reference_same_batch"),
        ("compiled", "speedup_over_compiled"),
        ("runtime", "fraction_of_runtime"),
    ):
        rate = rates.get(name)
        key = f"{name}_samples_per_second"
        figures[key] = rate.median if rate else None
        figures[ratio] = ratios(ours, rate).median if rate else None
        if rate:
            spread[key] = rate.spread
            spread[ratio] = ratios(ours, rate).spread
    return {**figures, "spread": spread}


def _stages(ours: CertificationLoop) -> dict[str, float] | None:
    """The share of each stage in our loop's time; `other` is scheduling, statistics, counting."""
    if not ours.stage_seconds:
        return None
    shares = {stage: spent / ours.seconds for stage, spent in ours.stage_seconds.items()}
    return {**shares, "other": 1.0 - sum(shares.values())}


def _share_of_limit(model: Model, rates: dict[str, Rate]) -> dict[str, Any]:
    """What our loop's operations per second are of the runtime's own large matrix products."""
    flops = flops_per_sample(model.path) if model.path.suffix == ".onnx" else None
    ours, top = rates["certification"], rates.get("peak")
    return {
        "gflop_per_sample": flops / 1e9 if flops else None,
        "gflops": flops * ours.median / 1e9 if flops else None,
        "limit_gflops": top.median / 1e9 if top else None,
        "share_of_limit": flops * ratios(ours, top).median if flops and top else None,
    }
