"""`certify` and `predict` from Python: what the commands of these names do, with their options."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict, Unpack

from smoothcert.engine.backends.base import Compute
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.noise.lattice import LatticeGaussian
from smoothcert.engine.run.certification import RunSummary, Watcher, Watchers, certify_images
from smoothcert.engine.run.execution import Executor, Job
from smoothcert.engine.sources import open_source
from smoothcert.engine.sources.selection import Selection
from smoothcert.engine.statistics.procedures import Predict, Procedure
from smoothcert.export.opening import open_model
from smoothcert.options import CertifyOptions


class RunOptions(TypedDict, total=False):
    """What every run may be told, by the names of the commands' options.

    seed     64-bit seed of the noise (0)
    skip, max, shard   every skip-th image, at most so many (-1: all), part i of k ("0/1")
    backend, device, precision, batch   see Compute; device may name several GPUs
    tune     see Compute
    threads  cores to use; with `ray`, of each worker
    strict   stop at an image that cannot be read
    ray, workers, decode   run on a Ray cluster ("local", "auto" or its address): see ClusterOptions
    watcher  told of the run's progress
    """

    seed: int
    skip: int
    max: int
    shard: str
    backend: str
    device: str
    precision: str | None
    batch: int | None
    tune: bool
    threads: int | None
    strict: bool
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
    **options: Unpack[RunOptions],
) -> RunSummary:
    """Certify the images of a source with a model smoothed by noise of level sigma, into a log.

    model   ONNX, a checkpoint that `export` understands, or a TensorRT plan
    source  see open_source
    log     OUT.tsv, its manifest beside it; the same call resumes one that was interrupted
    sigma   in [0, 1]-pixel units, in (0, 4]

    With probability at least 1 - alpha per image over the noise, the smoothed classifier's
    prediction is constant within the L2 radius that the log states. radii: table mode. tolerance or
    samples_price: radius mode. See CertifyOptions. transfer_to: certify a reference model too,
    with probability at least 1 - (alpha + alpha_zeta), by n_zeta paired samples (n / 10, at least
    1000).
    Raises InputError, in one line, for anything that does not fit; nothing is then overwritten.
    """
    if transfer_to is None and (n_zeta is not None or alpha_zeta is not None):
        raise InputError("n-zeta and alpha-zeta are of a transfer only: give --transfer-to too")
    if transfer_to is not None and n_zeta is None:
        n_zeta = max(1000, n // 10)
    asked = CertifyOptions(
        sigma=sigma,
        n0=n0,
        n=n,
        alpha=alpha,
        radii=None if radii is None else tuple(sorted(set(radii))),
        setting=setting,
        tolerance=tolerance,
        samples_price=samples_price,
        label_aware=label_aware,
        family_wise=family_wise,
        n_zeta=n_zeta,
        alpha_zeta=alpha_zeta,
    )
    notes = {} if family_wise is None else {"family_wise": family_wise}
    return _run(
        model, source, log, sigma, asked.procedure, notes=notes, transfer_to=transfer_to, **options
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
    smoothed classifier's (or -1, abstention); the radius column is 0. Otherwise as `certify`.
    """
    return _run(model, source, log, sigma, lambda tau: Predict(n, alpha, tau), **options)


def _run(
    model: str | Path,
    source: str | Path,
    log: str | Path,
    sigma: float,
    make_procedure: Callable[[float], Procedure],
    *,
    notes: Mapping[str, Any] | None = None,
    transfer_to: str | Path | None = None,
    seed: int = 0,
    skip: int = 1,
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
) -> RunSummary:
    """Open everything, and run. make_procedure takes the sampler's total variation."""
    law = LatticeGaussian(sigma)
    make_procedure(0.0)  # refuse useless settings before any file is opened
    selection = Selection.of_options(skip, max, shard)
    watcher = watcher or Watchers()
    executor = _executor(ray, workers, threads, decode, watcher)
    if ray is not None:
        source = os.path.abspath(source)  # noqa: PTH100 - a pattern; workers are in other folders
    opened = open_model(Path(model))
    reference = None if transfer_to is None else open_model(Path(transfer_to))
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
    images = open_source(source, opened.spec, opened.num_classes)
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
