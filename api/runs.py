"""`certify` and `predict` from Python: what the commands of these names do, with their options."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict, Unpack

from smoothcert.engine.backends.base import Compute
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.input_spec import Interpolation
from smoothcert.engine.log.log_file import check_log
from smoothcert.engine.log.manifest import recorded_seed
from smoothcert.engine.noise.lattice import LatticeGaussian
from smoothcert.engine.noise.streams import check_seed, fresh_seed
from smoothcert.engine.run.budget.amount import Budget
from smoothcert.engine.run.budget.executor import BudgetExecutor
from smoothcert.engine.run.certification import RunSummary, Watcher, Watchers, certify_images
from smoothcert.engine.run.execution import Executor, Job
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
from smoothcert.export.foreign.options import Layout, ModelOptions
from smoothcert.export.opening import open_model, open_reference
from smoothcert.numbers import numbers_of
from smoothcert.options import CertifyOptions


class RunOptions(TypedDict, total=False):
    """What every run may be told, by the names of the commands' options.

    seed     64-bit seed of the noise (fresh randomness; a log that is resumed keeps its own)
    indices, sample, stratified, sample_seed, only_correct   a subset of the images: see Subset
    skip, max, shard   every skip-th image, at most so many (-1: all), part i of k ("0/1"); see
             engine/run/selecting.py for the order. `max` counts the images that are certified; the
             original's is the index at which it stops
    backend, device, precision, batch   see Compute; device may name several GPUs
    tune     see Compute
    threads  cores to use; with `ray`, of each worker
    strict   stop at an image that cannot be read
    input_shape ... threshold   what a model that others wrote does not say: see ModelOptions
    labels ... unlabelled   what a source does not say: see SourceOptions
    ray, workers, decode   run on a Ray cluster ("local", "auto" or its address): see ClusterOptions
    watcher  told of the run's progress
    """

    seed: int | None
    indices: Path | None
    sample: int | None
    stratified: bool
    sample_seed: int
    skip: int
    only_correct: bool
    max: int
    shard: str
    backend: str
    device: str
    precision: str | None
    batch: int | None
    tune: bool
    threads: int | None
    strict: bool
    input_shape: tuple[int, int, int] | None
    mean: tuple[float, ...] | None
    std: tuple[float, ...] | None
    input_range: tuple[float, float] | None
    resize: int | None
    interpolation: Interpolation | None
    layout: Layout | None
    logits: str | None
    threshold: float | None
    labels: Path | None
    classes: Path | None
    arrays: tuple[str, ...] | None
    columns: tuple[str, ...] | None
    unlabelled: bool
    ray: str | None
    workers: int | None
    decode: str
    watcher: Watcher | None


def certify(
    model: str | Path,
    source: str | Path,
    log: str | Path,
    *,
    sigma: float,
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
    **options: Unpack[RunOptions],
) -> RunSummary:
    """Certify the images of a source with a model smoothed by noise of level sigma, into a log.

    model   ONNX, a checkpoint that `export` understands, or a TensorRT plan
    source  see open_source
    log     OUT.tsv, its manifest beside it; the same call resumes one that was interrupted
    sigma   in [0, 1]-pixel units, in [0.0002, 4]

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
    of the table as can be; the same call with a further one goes on.
    Raises InputError, in one line, for anything that does not fit; nothing is then overwritten.
    """
    if budget is not None and transfer_to is not None:
        raise InputError("budget and transfer-to exclude each other: leave one of them out")
    if transfer_to is None and (n_zeta is not None or alpha_zeta is not None):
        raise InputError("n-zeta and alpha-zeta are of a transfer only: give --transfer-to too")
    given = numbers_of(
        sigma=sigma,
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
    asked = CertifyOptions(
        setting=setting,
        label_aware=label_aware,
        bound=bound,
        budgeted=budget is not None,
        **given,
    )
    notes = {} if family_wise is None else {"family_wise": asked.family_wise}
    return _run(
        model,
        source,
        log,
        asked.sigma,
        asked.procedure,
        notes=notes,
        transfer_to=transfer_to,
        budget=None if budget is None else Budget.of(budget),
        **numbers_of(**options),
    )


def predict(
    model: str | Path,
    source: str | Path,
    log: str | Path,
    *,
    sigma: float,
    n: int = 1000,
    alpha: float = 0.001,
    **options: Unpack[RunOptions],
) -> RunSummary:
    """Predict the images of a source with a model smoothed by noise of level sigma, into a log.

    With probability at least 1 - alpha per image over the noise, a prediction in the log is the
    smoothed classifier's (or -1, abstention); the radius column is 0. Otherwise as `certify`, and
    as there neither image nor model may depend on the seed.
    """
    given = numbers_of(sigma=sigma, n=n, alpha=alpha)
    return _run(
        model,
        source,
        log,
        given["sigma"],
        lambda tau: Predict(given["n"], given["alpha"], tau),
        **numbers_of(**options),
    )


def _run(
    model: str | Path,
    source: str | Path,
    log: str | Path,
    sigma: float,
    make_procedure: Callable[[float], Procedure],
    *,
    notes: Mapping[str, Any] | None = None,
    transfer_to: str | Path | None = None,
    budget: Budget | None = None,
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
) -> RunSummary:
    """Open everything, and run. make_procedure takes the sampler's total variation; of_files are
    the options of model and source."""
    model_options = ModelOptions.among(of_files)
    source_options = SourceOptions.among(of_files)
    law = LatticeGaussian(sigma)
    make_procedure(0.0)  # refuse useless settings before any file is opened
    lists = (of_files.get("labels"), of_files.get("classes"))
    check_log(Path(log), [model, source, transfer_to, indices, *lists])
    asked = Selection.of_options(skip, max, shard)
    subset = Subset.of_options(
        indices,
        sample=sample,
        stratified=stratified,
        sample_seed=sample_seed,
        only_correct=only_correct,
    )
    seed = _seed_of(seed, asked, Path(log))
    watcher = watcher or Watchers()
    executor = _executor(ray, workers, threads, decode, watcher)
    if budget is not None:
        if executor is not None or devices_of(device) != [device]:
            raise InputError(
                "a budget is spent on one device: expected neither --ray nor several GPUs; give "
                "each device a --shard of its own, and merge"
            )
        executor = BudgetExecutor(budget, Path(log))
    if ray is not None:
        source = os.path.abspath(source)  # noqa: PTH100 - a pattern; workers are in other folders
    try:
        opened = open_model(Path(model), model_options)
    except OpenSidesError as error:
        raise _with_the_size(error, source, source_options) from None
    check_sigma(opened, sigma)
    reference = None if transfer_to is None else open_reference(Path(transfer_to), model_options)
    if reference is not None:
        check_sigma(reference, sigma)
    job = Job(
        model=opened,
        law=law,
        procedure=make_procedure(law.total_variation(opened.spec.num_pixels)),
        seed=seed,
        compute=Compute(
            backend=backend,
            device=device,
            precision=precision,
            batch=batch,
            threads=threads,
            tune=tune,
        ),
        reference=reference,
    )
    images = open_source(source, opened.spec, opened.num_classes, source_options)
    selection = selected(asked, subset, images, job, Path(log), watcher, on_cluster=ray is not None)
    _check_family(notes, images, selection)
    return certify_images(
        job,
        images,
        selection,
        Path(log),
        watcher=watcher,
        executor=executor,
        strict=strict,
        notes=notes,
    )


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


def _seed_of(asked: int | None, selection: Selection, log: Path) -> int:
    """The seed of a run: the one that was asked for, the log's, or a fresh one."""
    if asked is not None:
        return check_seed(asked)
    logged = recorded_seed(log)
    if logged is not None:
        return logged
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
