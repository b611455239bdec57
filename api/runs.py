"""`certify` and `predict` from Python: what the commands of these names do, with their options."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, Unpack, overload

from smoothcert.engine.backends.base import Compute
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.log.log_file import check_log
from smoothcert.engine.log.manifest import recorded_seed
from smoothcert.engine.noise.lattice import LatticeGaussian
from smoothcert.engine.noise.streams import check_seed, fresh_seed
from smoothcert.engine.run.beginning import check_begun
from smoothcert.engine.run.budget.amount import Budget
from smoothcert.engine.run.budget.executor import BudgetExecutor
from smoothcert.engine.run.certification import RunSummary, Watcher, Watchers, certify_images
from smoothcert.engine.run.estimate import Estimate, estimate_run
from smoothcert.engine.run.execution import Executor, Job
from smoothcert.engine.run.kept_images import kept_images
from smoothcert.engine.run.processes import devices_of
from smoothcert.engine.run.selecting import selected
from smoothcert.engine.sources import open_source
from smoothcert.engine.sources.base import ImageSource, PhotographSource
from smoothcert.engine.sources.options import SourceOptions
from smoothcert.engine.sources.selecting.subset import Subset
from smoothcert.engine.sources.selection import Selection
from smoothcert.engine.statistics.procedures import Predict, Procedure
from smoothcert.export.composite.noise_level import check_sigma
from smoothcert.export.foreign.input_reading import OpenSidesError
from smoothcert.export.foreign.options import ModelOptions
from smoothcert.export.opening import open_model, open_reference
from smoothcert.keywords import CertifyKeywords, PredictKeywords, RunOptions
from smoothcert.numbers import numbers_of
from smoothcert.options import CertifyOptions, modes_of
from smoothcert.several import (
    Level,
    MakeProcedure,
    certified_each,
    levels_of,
    selected_for_each,
)


@overload
def certify(
    model: str | Path,
    source: str | Path,
    log: str | Path,
    *,
    sigma: float,
    **options: Unpack[CertifyKeywords],
) -> RunSummary: ...
@overload
def certify(
    model: str | Path,
    source: str | Path,
    log: str | Path,
    *,
    sigma: Sequence[float],
    **options: Unpack[CertifyKeywords],
) -> tuple[RunSummary, ...]: ...
@overload
def certify(
    model: str | Path,
    source: str | Path,
    log: str | Path,
    *,
    sigma: float | Sequence[float],
    estimate: Literal[True],
    **options: Unpack[CertifyKeywords],
) -> tuple[Estimate, ...]: ...
def certify(
    model: str | Path,
    source: str | Path,
    log: str | Path,
    *,
    sigma: float | Sequence[float],
    n0: int | None = None,
    n: int = 100_000,
    alpha: float = 0.001,
    radii: Sequence[float] | None = None,
    setting: str | None = None,
    tolerance: float | None = None,
    samples_price: float | None = None,
    label_aware: bool = False,
    family_wise: int | None = None,
    transfer_to: str | Path | None = None,
    n_zeta: int | None = None,
    alpha_zeta: float | None = None,
    bound: str = "one-sided",
    budget: str | float | None = None,
    estimate: bool = False,
    **options: Unpack[RunOptions],
) -> RunSummary | tuple[RunSummary, ...] | tuple[Estimate, ...]:
    """Certify the images of a source with a model smoothed by noise of level sigma, into a log.

    model   ONNX, a checkpoint that `export` understands, or a TensorRT plan
    source  see open_source
    log     OUT.tsv, its manifest beside it; the same call resumes one that was interrupted
    sigma   in [0, 1]-pixel units, in [0.0002, 4]; of a sequence each level has its own log
            (OUT_0.25.tsv), the one that a call with that level alone would write, and there is a
            summary for each

    With probability at least 1 - alpha per image over the noise, the smoothed classifier's
    prediction is constant within the L2 radius that the log states: for every real input within it
    of the 8-bit image that the model is given, after resize and crop. The smoothed classifier is
    that of the model composed with rounding to the 8-bit grid, which comes after the Gaussian
    noise; of 8-bit images (the log's `covers`) it is the model's with integer Gaussian noise.
    This holds where neither image nor model depends on the seed: one who knows it beforehand can
    make a model for it that wins every vote and is certified falsely.

    radii: table mode. tolerance or samples_price: radius mode. See CertifyOptions. family_wise:
    alpha is for so many images together, and more are refused. transfer_to: certify a reference
    model too, with probability at least 1 - (alpha + alpha_zeta), by n_zeta paired samples
    (n / 10, at least 1000). bound: "two-class" bounds the runner-up's probability too, which
    certifies larger radii where the other votes are spread over many classes, and a class that
    leads without a majority; a column runner_up has its votes.
    budget: with radii, so much time ("30m", "2h") or so many samples (5e7) to decide as many cells
    of the table as can be; the same call with a further one goes on. estimate: certify nothing and
    write nothing, but draw a few samples of some images, and tell for each level what each mode
    would take of all of them.
    Raises InputError, in one line, for anything that does not fit; nothing is then overwritten.
    """
    if budget is not None and transfer_to is not None:
        raise InputError("budget and transfer-to exclude each other: leave one of them out")
    if transfer_to is None and (n_zeta is not None or alpha_zeta is not None):
        raise InputError("n-zeta and alpha-zeta are of a transfer only: give --transfer-to too")
    given = numbers_of(
        n0=n0,
        n=n,
        alpha=alpha,
        radii=radii,
        tolerance=tolerance,
        samples_price=samples_price,
        family_wise=family_wise,
        n_zeta=n_zeta,
        alpha_zeta=alpha_zeta,
    )
    if transfer_to is not None and n_zeta is None:
        given["n_zeta"] = max(1000, given["n"] // 10)
    if radii is not None:
        given["radii"] = tuple(sorted(set(given["radii"])))
    notes = {} if family_wise is None else {"family_wise": given["family_wise"]}

    def at(level: float) -> MakeProcedure:
        return CertifyOptions(
            level,
            setting=setting,
            label_aware=label_aware,
            bound=bound,
            budgeted=budget is not None,
            **given,
        ).procedure

    levels = levels_of(sigma, log, at)
    if estimate and (transfer_to is not None or options.get("ray") is not None):
        raise InputError(
            "an estimate is of one model on this machine: leave --transfer-to and --ray out"
        )
    ready = _ready(
        model,
        source,
        levels,
        notes=notes,
        transfer_to=transfer_to,
        budget=None if budget is None else Budget.of(budget),
        local=estimate,
        **numbers_of(**options),
    )
    return ready.estimates(partial(modes_of, given)) if estimate else ready.run()


@overload
def predict(
    model: str | Path,
    source: str | Path,
    log: str | Path,
    *,
    sigma: float,
    **options: Unpack[PredictKeywords],
) -> RunSummary: ...
@overload
def predict(
    model: str | Path,
    source: str | Path,
    log: str | Path,
    *,
    sigma: Sequence[float],
    **options: Unpack[PredictKeywords],
) -> tuple[RunSummary, ...]: ...
def predict(
    model: str | Path,
    source: str | Path,
    log: str | Path,
    *,
    sigma: float | Sequence[float],
    n: int = 1000,
    alpha: float = 0.001,
    **options: Unpack[RunOptions],
) -> RunSummary | tuple[RunSummary, ...]:
    """Predict the images of a source with a model smoothed by noise of level sigma, into a log.

    With probability at least 1 - alpha per image over the noise, a prediction in the log is the
    smoothed classifier's (or -1, abstention); the radius column is 0. Otherwise as `certify`, and
    as there neither image nor model may depend on the seed.
    """
    given = numbers_of(n=n, alpha=alpha)
    procedure = partial(Predict, given["n"], given["alpha"])
    levels = levels_of(sigma, log, lambda level: procedure)
    return _ready(model, source, levels, **numbers_of(**options)).run()


@dataclass(frozen=True)
class _Ready:
    """A call whose files are open and whose options fit: of each level its job, the images it
    certifies, by its log, and what executes it (None: what suits the device)."""

    levels: Sequence[Level]
    jobs: Sequence[Job]
    images: ImageSource
    selections: Mapping[Path, Selection]
    executors: Sequence[Executor | None]
    watcher: Watcher
    strict: bool
    notes: Mapping[str, Any] | None

    def run(self) -> RunSummary | tuple[RunSummary, ...]:
        """Certify, one level after the other; one summary where the call was given a number."""
        runs = [
            partial(
                certify_images,
                job,
                self.images,
                self.selections[level.log],
                level.log,
                executor=executor,
                strict=self.strict,
                notes=self.notes,
            )
            for job, level, executor in zip(self.jobs, self.levels, self.executors, strict=True)
        ]
        summaries = certified_each(self.levels, runs, self.watcher)
        return summaries[0] if self.levels[0].alone else summaries

    def estimates(
        self, modes: Callable[[float, float], Mapping[str, Procedure]]
    ) -> tuple[Estimate, ...]:
        """Run nothing: of each level an estimate. modes: those of a sigma and a total variation."""
        return tuple(
            estimate_run(
                job,
                self.images,
                self.selections[level.log].indices(len(self.images)),
                modes(level.sigma, job.law.total_variation(job.model.spec.num_pixels)),
            )
            for job, level in zip(self.jobs, self.levels, strict=True)
        )


def _ready(
    model: str | Path,
    source: str | Path,
    levels: Sequence[Level],
    *,
    notes: Mapping[str, Any] | None = None,
    transfer_to: str | Path | None = None,
    budget: Budget | None = None,
    local: bool = False,
    seed: int | None = None,
    indices: str | Path | None = None,
    sample: int | None = None,
    stratified: bool = False,
    sample_seed: int = 0,
    skip: int = 1,
    only_correct: bool = False,
    max: int = -1,
    shard: str = "0/1",
    backend: str = "auto",
    device: str = "cpu",
    precision: str | None = None,
    batch: int | None = None,
    tune: bool = False,
    threads: int | None = None,
    strict: bool = False,
    ray: str | None = None,
    workers: int | None = None,
    decode: str = "auto",
    watcher: Watcher | None = None,
    **of_files: Any,
) -> _Ready:
    """Open everything, and look whether it fits. of_files are the options of model and source;
    local: for one device of this machine."""
    model_options = ModelOptions.among(of_files)
    source_options = SourceOptions.among(of_files)
    for level in levels:  # refuse useless settings before any file is opened
        with level.named():
            level.make_procedure(0.0)
    lists = (of_files.get("labels"), of_files.get("classes"))
    for level in levels:
        check_log(level.log, [model, source, transfer_to, indices, *lists])
    asked = Selection.of_options(skip, max, shard)
    subset = Subset.of_options(
        indices,
        sample=sample,
        stratified=stratified,
        sample_seed=sample_seed,
        only_correct=only_correct,
    )
    seeds = _seeds_of(seed, asked, [level.log for level in levels])
    watcher = watcher or Watchers()
    executors = [_executor(ray, workers, threads, decode, watcher) for _ in levels]
    if budget is not None:
        if len(levels) > 1 or ray is not None or devices_of(device) != [device]:
            raise InputError(
                "a budget is spent on one log, by one device: expected one sigma, and neither "
                "--ray nor several GPUs; give each device a --shard of its own, and merge"
            )
        executors = [BudgetExecutor(budget, levels[0].log)]
    if local and devices_of(device) != [device]:
        raise InputError(
            f"an estimate is of one device, and {device} names several: expected one of them"
        )
    if ray is not None:
        source = os.path.abspath(source)  # noqa: PTH100 - a pattern; workers are in other folders
    try:
        opened = open_model(Path(model), model_options)
    except OpenSidesError as error:
        raise _with_the_size(error, source, source_options) from None
    for level in levels:
        check_sigma(opened, level.sigma)
    reference = None if transfer_to is None else open_reference(Path(transfer_to), model_options)
    if reference is not None:
        for level in levels:
            check_sigma(reference, level.sigma)
    compute = Compute(
        backend=backend,
        device=device,
        precision=precision,
        batch=batch,
        threads=threads,
        tune=tune,
    )
    jobs = []
    for level, own_seed in zip(levels, seeds, strict=True):
        law = LatticeGaussian(level.sigma)
        with level.named():
            procedure = level.make_procedure(law.total_variation(opened.spec.num_pixels))
        jobs.append(
            Job(
                model=opened,
                law=law,
                procedure=procedure,
                seed=own_seed,
                compute=compute,
                reference=reference,
            )
        )
    images = open_source(source, opened.spec, opened.num_classes, source_options)
    if len(levels) > 1 and ray is None:
        images = kept_images(images, device)

    def chosen(job: Job, log: Path) -> Selection:
        found = selected(asked, subset, images, job, log, watcher, on_cluster=ray is not None)
        _check_family(notes, images, found)
        return found

    def check(job: Job, selection: Selection, log: Path) -> None:
        check_begun(job, images, selection, log, notes)

    selections = selected_for_each(levels, jobs, chosen, check)
    return _Ready(levels, jobs, images, selections, executors, watcher, strict, notes)


def _with_the_size(error: OpenSidesError, source: str | Path, options: SourceOptions) -> InputError:
    """What a model says that takes images of any size, with the size of these, where they have
    one."""
    try:
        images = open_source(source, None, None, options)
        if isinstance(images, PhotographSource):
            return error
        channels, height, width = images.image(0).shape
    except InputError:
        return error
    return error.proposing((channels, height, width))


def _seeds_of(asked: int | None, selection: Selection, logs: Sequence[Path]) -> list[int]:
    """The seed of each log: the one that was asked for, its own; where it is new, that of the first
    log which is not (so that a command which was interrupted goes on as it began), or a fresh one.
    """
    if asked is not None:
        return [check_seed(asked)] * len(logs)
    logged = [recorded_seed(log) for log in logs]
    known = [seed for seed in logged if seed is not None]
    shared = known[0] if known else _new_seed(selection)
    return [shared if seed is None else seed for seed in logged]


def _new_seed(selection: Selection) -> int:
    if selection.shards > 1:
        raise InputError(
            f"shard {selection.shard}/{selection.shards} is given no seed: expected the same one "
            f"for all shards; give each of them --seed {fresh_seed()} (drawn just now)"
        )
    return fresh_seed()


def _check_family(
    notes: Mapping[str, Any] | None, images: ImageSource, selection: Selection
) -> None:
    """Refuse more images than share alpha, over all shards."""
    family = (notes or {}).get("family_wise")
    number = len(selection.whole.indices(len(images)))
    if family is not None and number > family:
        raise InputError(
            f"family-wise {family} is too few for the {number} images selected (of all shards): "
            f"expected at least {number}; give --family-wise {number}, or select fewer (--max)"
        )


def _executor(
    ray: str | None, workers: int | None, threads: int | None, decode: str, watcher: Watcher
) -> Executor | None:
    """A Ray cluster, or None for what suits the device."""
    if ray is None:
        if workers is not None or decode != "auto":
            raise InputError(
                "--workers and --decode are of runs on a cluster: expected --ray with them; "
                "add --ray local"
            )
        return None
    from smoothcert.engine.run.cluster.executor import ClusterOptions, RayExecutor

    return RayExecutor(ClusterOptions(ray, workers, threads or 1, decode), watcher.event)
