"""What `certify` and `predict` may be told beside model, data, sigma and out."""

from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict

from smoothcert.engine.base.input_spec import Interpolation
from smoothcert.engine.run.certification import Watcher
from smoothcert.export.foreign.options import Layout


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
    num_classes   of the model, for a check
    watcher  told of the run's progress
    progress whether to show it (None: on a terminal, and in a notebook)
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
    num_classes: int | None
    watcher: Watcher | None
    progress: bool | None


class CertifyKeywords(RunOptions, total=False):
    """What `certify` may be told beside sigma."""

    n0: int | None
    n: int
    alpha: float
    radii: Sequence[float] | None
    setting: str | None
    tolerance: float | None
    samples_price: float | None
    label_aware: bool
    family_wise: int | None
    transfer_to: str | Path | None
    n_zeta: int | None
    alpha_zeta: float | None
    bound: str
    budget: str | float | None


class PredictKeywords(RunOptions, total=False):
    """What `predict` may be told beside sigma."""

    n: int
    alpha: float
