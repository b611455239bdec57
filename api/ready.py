"""A call of `certify` or `predict` whose files are open and whose options fit."""

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from smoothcert.ending import TemporaryLog
from smoothcert.engine.backends.base import Compute
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.log.log_file import check_log
from smoothcert.engine.log.manifest import recorded_seed
from smoothcert.engine.models.model import Model
from smoothcert.engine.noise.lattice import LatticeGaussian
from smoothcert.engine.noise.streams import check_seed, fresh_seed
from smoothcert.engine.run.beginning import check_begun
from smoothcert.engine.run.budget.amount import Budget
from smoothcert.engine.run.budget.executor import BudgetExecutor
from smoothcert.engine.run.certification import Certification, Watcher
from smoothcert.engine.run.estimate import Estimate, estimate_run
from smoothcert.engine.run.execution import Executor, Job
from smoothcert.engine.run.kept_images import kept_images
from smoothcert.engine.run.processes import devices_of
from smoothcert.engine.run.selecting import selected
from smoothcert.engine.sources import open_source
from smoothcert.engine.sources.base import ImageSource, PhotographSource
from smoothcert.engine.sources.objects import shape_of
from smoothcert.engine.sources.options import SourceOptions
from smoothcert.engine.sources.selecting.subset import Subset
from smoothcert.engine.sources.selection import Selection
from smoothcert.engine.statistics.procedures import Procedure
from smoothcert.export.composite.noise_level import check_sigma
from smoothcert.export.foreign.input_reading import OpenSidesError
from smoothcert.export.foreign.options import ModelOptions
from smoothcert.export.opening import open_model, open_reference
from smoothcert.run import Run
from smoothcert.several import Level, selected_for_each
from smoothcert.watching import Watching


@dataclass(frozen=True)
class Ready:
    """A call whose files are open and whose options fit: of each level its job, the images it
    certifies, by its log, and what executes it (None: what suits the device)."""

    levels: Sequence[Level]
    jobs: Sequence[Job]
    images: ImageSource
    selections: Mapping[Path, Selection]
    executors: Sequence[Executor | None]
    watching: Watching
    folder: object
    strict: bool
    notes: Mapping[str, Any] | None

    def runs(self) -> Run | tuple[Run, ...]:
        """A run of each level; the one run where the call was given a number.

        Only the first has its executor open: devices need not hold all.
        """
        found: list[Run] = []
        try:
            for job, level, executor in zip(self.jobs, self.levels, self.executors, strict=True):
                certification = Certification(
                    job,
                    self.images,
                    self.selections[level.log],
                    level.log,
                    executor=executor,
                    strict=self.strict,
                    notes=self.notes,
                    later=bool(found),
                )
                about = None if level.alone else {"log": str(level.log), "sigma": level.sigma}
                found.append(Run(certification, self.watching, about, self.folder))
        except BaseException:
            for run in found:
                run.close()
            raise
        return found[0] if self.levels[0].alone else tuple(found)

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


def ready(
    model: Any,
    data: Any,
    levels_at: Callable[[Path], list[Level]],
    out: str | Path | None,
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
    progress: bool | None = None,
    num_classes: int | None = None,
    **of_files: Any,
) -> Ready:
    """Open everything, and look whether it fits. levels_at: the levels of a call, of its log.
    of_files are the options of model and source; local: for one device of this machine."""
    model_options = ModelOptions.among(of_files)
    source_options = SourceOptions.among(of_files)
    folder = None
    if out is None:
        folder = TemporaryLog()
        out = folder.log
    levels = levels_at(Path(out))
    for level in levels:  # refuse useless settings before any file is opened
        with level.named():
            level.make_procedure(0.0)
    lists = (of_files.get("labels"), of_files.get("classes"))
    for level in levels:
        check_log(level.log, [*_named(model, data), transfer_to, indices, *lists])
    asked = Selection.of_options(skip, max, shard)
    subset = Subset.of_options(
        indices,
        sample=sample,
        stratified=stratified,
        sample_seed=sample_seed,
        only_correct=only_correct,
    )
    seeds = _seeds_of(seed, asked, [level.log for level in levels])
    watching = Watching(watcher, progress)
    executors = [_executor(ray, workers, threads, decode, watching) for _ in levels]
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
    opened, images = _opened(
        model, data, num_classes, model_options, source_options, on_cluster=ray is not None
    )
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
    if len(levels) > 1 and ray is None:
        images = kept_images(images, device)

    def chosen(job: Job, log: Path) -> Selection:
        found = selected(asked, subset, images, job, log, watching, on_cluster=ray is not None)
        _check_family(notes, images, found)
        return found

    def check(job: Job, selection: Selection, log: Path) -> None:
        check_begun(job, images, selection, log, notes)

    with watching if subset.only_correct else nullcontext():
        selections = selected_for_each(levels, jobs, chosen, check)
    return Ready(levels, jobs, images, selections, executors, watching, folder, strict, notes)


def _named(*given: Any) -> list[str | Path]:
    """Those of what a call was given that are names of files."""
    return [Path(each) for each in given if isinstance(each, str | os.PathLike)]


def _opened(
    model: Any,
    data: Any,
    num_classes: int | None,
    model_options: ModelOptions,
    source_options: SourceOptions,
    *,
    on_cluster: bool,
) -> tuple[Model, ImageSource]:
    """The model and the images that a call was given."""
    if on_cluster and isinstance(data, str | os.PathLike):
        data = os.path.abspath(data)  # noqa: PTH100 - a pattern; workers are in other folders
    if isinstance(model, str | os.PathLike):
        try:
            opened = open_model(Path(model), model_options)
        except OpenSidesError as error:
            raise _with_the_size(error, data, source_options) from None
        if num_classes not in (None, opened.num_classes):
            raise InputError(
                f"num_classes {num_classes} does not fit model {opened.given}, which has "
                f"{opened.num_classes} classes: leave it out"
            )
    else:
        from smoothcert.export.module import open_module

        shape = model_options.input_shape or _shape_of(data, source_options)
        opened = open_module(model, num_classes, shape, model_options)
    return opened, open_source(data, opened.spec, opened.num_classes, source_options)


def _shape_of(data: Any, options: SourceOptions) -> tuple[int, int, int]:
    """(C, H, W) of the images, for a module, which does not say what it takes."""
    if not isinstance(data, str | os.PathLike):
        return shape_of(data, options)
    images = open_source(data, None, None, options)
    if isinstance(images, PhotographSource):
        raise InputError(
            f"a module does not say its input, and {os.fspath(data)} has photographs: give "
            "input_shape=(C, H, W), such as (3, 224, 224)"
        )
    channels, height, width = images.image(0).shape
    return channels, height, width


def _with_the_size(error: OpenSidesError, data: Any, options: SourceOptions) -> InputError:
    """What a model says that takes images of any size, with the size of these, where they have
    one."""
    try:
        images = open_source(data, None, None, options)
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
