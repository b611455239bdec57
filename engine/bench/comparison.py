"""One model, one process: our loop, the original's, a compiled one, the bare runtime, its limit."""

import time
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from smoothcert.engine.backends.base import PASSED_OVER, Backend, Compute, runtime_name
from smoothcert.engine.backends.host.runtimes import HOST_RUNTIMES
from smoothcert.engine.backends.opening import open_backend
from smoothcert.engine.base.cores import cores_for
from smoothcert.engine.base.doing import doing
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.machine import describe_machine, processor_flags
from smoothcert.engine.base.ranges import BATCH, BENCH_BUDGET, ROUNDS, SECONDS, SIGMA
from smoothcert.engine.bench import peak
from smoothcert.engine.bench.flops import flops_per_sample
from smoothcert.engine.bench.loops import N0, CertificationLoop, N, RuntimeLoop
from smoothcert.engine.bench.rounds import Loop, Rate, measure_rates, ratios
from smoothcert.engine.models.model import Model
from smoothcert.engine.noise.lattice import LatticeGaussian

if TYPE_CHECKING:
    import torch

    from smoothcert.engine.bench.compiled import CompiledLoop
    from smoothcert.engine.bench.reference import ReferenceLoop

RIVALS = ("reference", "runtime", "compiled")
"""What our loop is measured against: the original's, the bare runtime, a loop of torch.compile."""

# Of the time that is left: of trying batches for the compiled loop, and of one step of the
# original's, which is measured twice at least where there is time for it.
_TRYING, _STEP = 1 / 4, 1 / 12
_COMPILING = 1 / 3
"""Of the whole budget, what must be left for a compilation to begin that need not be: one of
ResNet-50 takes 15 s and more on two cores."""
_ROUNDS_AT_LEAST = 1 / 2
"""Of the whole budget, whatever was spent before."""


@dataclass(frozen=True)
class BenchSettings:
    """What is measured, and how long. Raises InputError for numbers out of range.

    reference_batch  of the original's loop; None for its default of 1,000, or for as many as fit
                     into the budget
    rounds, seconds  at most so many, of so long per loop (rounds.py)
    budget           seconds in which the rounds are to end; they have half of it at least, and
                     what opens and compiles before them takes the time it takes
    """

    sigma: float = 0.25
    compute: Compute = field(default_factory=Compute)
    reference_batch: int | None = None
    rounds: int = 15
    seconds: float = 0.3
    budget: float = 40.0

    def __post_init__(self) -> None:
        """Refuse what cannot be measured."""
        SIGMA.check(self.sigma)
        if self.reference_batch is not None:
            BATCH.check(self.reference_batch, "reference-batch")
        ROUNDS.check(self.rounds)
        SECONDS.check(self.seconds)
        BENCH_BUDGET.check(self.budget)


def compare(
    model: Model,
    module: "torch.nn.Module | None",
    settings: BenchSettings,
    *,
    against: Collection[str] = RIVALS,
    must: bool = False,
    limit: bool = True,
    begun: float | None = None,
) -> dict[str, Any]:
    """Measure; returns a JSON-serialisable record of figures, None for what was not measured.

    module   the same network in torch, for the original's loop and the compiled one; None leaves
             both out
    against  of RIVALS
    must     raise InputError where torch.compile does not work; else it is left out, for want of
             time too, and `not_measured` says why
    limit    measure the best of large products and convolutions too, where the backend's runtime
             can
    begun    when the budget began to run, by time.perf_counter; None for now

    All rates are medians over rounds in samples per second, all ratios medians of the ratios round
    by round; `spread` has the quartiles of both. Everything is measured once, whatever it takes.
    """
    deadline = (time.perf_counter() if begun is None else begun) + settings.budget
    backend = open_backend(
        model,
        LatticeGaussian(settings.sigma),
        0,
        settings.compute,
    )
    described = backend.describe()
    threads = cores_for(settings.compute.threads)
    precision = described.get("precision", model.precision)
    ours = CertificationLoop(backend, settings.sigma)
    loops: list[Loop] = [ours]
    not_measured: dict[str, str] = {}
    if "runtime" in against:
        loops.append(RuntimeLoop(backend))
    compiled: CompiledLoop | None = None
    references: list[ReferenceLoop] = []
    if module is not None and {"compiled", "reference"} & set(against):
        rivals = Rivals(model, module, settings, backend, deadline)
        try:
            compiled = rivals.compiled(must=must) if "compiled" in against else None
        except InputError as error:
            if must:
                raise
            not_measured["compiled"] = str(error)
        references = rivals.references() if "reference" in against else []
    loops += [loop for loop in (compiled, *references) if loop is not None]
    top = _limit(described, threads) if limit else None
    if top is not None:
        loops.append(top)
    left = max(deadline - time.perf_counter(), _ROUNDS_AT_LEAST * settings.budget)
    rates = measure_rates(loops, settings.rounds, settings.seconds, left)
    if references and references[0].batch == backend.batch_size:
        rates["reference_same_batch"] = rates["reference"]
    return {
        **_figures(rates),
        "compiled_batch": compiled.batch if compiled else None,
        "compiled_precision": compiled.precision if compiled else None,
        "not_measured": not_measured,
        "backend": runtime_name(described),
        "runtime": described["runtime"],
        PASSED_OVER: described.get(PASSED_OVER, {}),
        "took": described.get("took"),
        "precision": precision,
        "batch": backend.batch_size,
        "device": settings.compute.device,
        "threads": described.get("threads", threads),
        "reference_batch": references[0].batch if references else None,
        "stages": _stages(ours),
        **_share_of_limit(model, rates),
        "limit_shape": top.shape.title if top else None,
        "model": model.given.name,
        "arch": model.metadata.get("arch"),
        "input_shape": list(model.spec.shape),
        "classes": model.num_classes,
        "sigma": settings.sigma,
        "n0": N0,
        "n": N,
        "rounds": len(rates["certification"].rounds),
        "seconds_per_round": settings.seconds,
        "machine": describe_machine(),
    }


class Rivals:
    """The loops in torch beside ours, each made within its part of the time to `deadline`."""

    def __init__(
        self,
        model: Model,
        module: "torch.nn.Module",
        settings: BenchSettings,
        backend: Backend,
        deadline: float,
    ) -> None:
        import torch

        torch.set_num_threads(cores_for(settings.compute.threads))
        self._settings, self._deadline = settings, deadline
        self._device, self._batch = settings.compute.device, backend.batch_size
        self._precision = backend.describe().get("precision", model.precision)
        self._of_all = (module, model.spec.shape, model.num_classes, settings.sigma)

    def _left(self) -> float:
        return self._deadline - time.perf_counter()

    def compiled(self, *, must: bool) -> "CompiledLoop":
        """Raises InputError where it cannot be had; where it need not, for want of time too."""
        from smoothcert.engine.bench.compiled import fastest_compiled, rival_precision

        if not must and self._left() < _COMPILING * self._settings.budget:
            raise InputError(
                "no time was left to compile it: ask for it with --against compiled, or give a "
                "larger --budget"
            )
        precision = rival_precision(self._precision, self._device, processor_flags())
        with doing("compiling the network by torch.compile"):
            return fastest_compiled(
                *self._of_all, self._batch, self._device, precision, _TRYING * self._left()
            )

    def references(self) -> "list[ReferenceLoop]":
        """With the original's batch, and with ours where that is another."""
        from smoothcert.engine.bench.reference import ORIGINAL_BATCH, ReferenceLoop

        batch = self._settings.reference_batch
        if batch is None:
            loop = ReferenceLoop("", *self._of_all, ORIGINAL_BATCH, self._device)
            fitting = loop.batch_within(_STEP * self._left())
            batch = max(fitting, min(self._batch, ORIGINAL_BATCH))
        batches = {"reference": batch, "reference_same_batch": self._batch}
        if batch == self._batch:
            del batches["reference_same_batch"]
        return [
            ReferenceLoop(name, *self._of_all, each, self._device) for name, each in batches.items()
        ]


def _limit(described: dict[str, Any], threads: int) -> peak.PeakLoop | None:
    name, precision = runtime_name(described), described.get("precision")
    if name not in HOST_RUNTIMES or precision not in peak.PRECISIONS:
        return None
    return peak.PeakLoop(name, precision, threads)


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
    """What our loop's operations per second are of the best of the runtime's own large matrix
    products and convolutions: a yardstick, which a network may pass whose shapes suit it better."""
    flops = flops_per_sample(model.path) if model.path.suffix == ".onnx" else None
    ours, top = rates["certification"], rates.get("peak")
    return {
        "gflop_per_sample": flops / 1e9 if flops else None,
        "gflops": flops * ours.median / 1e9 if flops else None,
        "limit_gflops": top.median / 1e9 if top else None,
        "share_of_limit": flops * ratios(ours, top).median if flops and top else None,
    }
