"""The schema of a manifest: the entries that anything here reads, each with its type and range.

Every entry may be absent, and others may stand beside them: earlier and later versions write other
ones. What a command cannot do without is in `REQUIRED`. docs/manifest.md and
docs/manifest.schema.json are made of these types.
"""

from enum import Enum
from typing import Annotated, Any, TypedDict

from msgspec import Meta

from smoothcert.engine.base.ranges import (
    ALPHA_ZETA,
    CLASSES,
    FAMILY_WISE,
    INDEX,
    MAX_IMAGES,
    PAIRED_SAMPLES,
    RADII,
    RADIUS,
    RADIUS_SIGMA,
    SAMPLE,
    SAMPLES,
    SAMPLES_PRICE,
    SELECTION_SAMPLES,
    SHARDS,
    SKIP,
    Range,
)

IMAGES = int(INDEX.high)
"""The most images of a source: each has an index of 32 bits."""

LOOKS = 64
"""The most looks of a table, each of which is planned for; one of 10^7 samples has 45."""

LARGEST = 2**64
"""Whole numbers are below this, and at least minus half of it; a seed has 64 bits."""

_NAME = 200
_Name = Annotated[str, Meta(max_length=_NAME)]


def _name(description: str) -> Meta:
    return Meta(max_length=_NAME, description=description)


def _between(limits: Range, description: str, low: int | None = None) -> Meta:
    """A whole number of a range, from `low` on where the range begins higher."""
    return Meta(ge=limits.low if low is None else low, le=int(limits.high), description=description)


def _seed(description: str) -> Meta:
    """A whole number of 64 bits, which is more than msgspec compares: all are held to LARGEST."""
    schema = {"exclusiveMaximum": LARGEST}
    return Meta(ge=0, description=description, extra_json_schema=schema)


class ModelEntry(TypedDict, total=False):
    """A model file, as a resumed run compares it."""

    name: Annotated[str, Meta(description="the file's name, without its folder")]
    sha256: Annotated[str, Meta(description="SHA-256 of the file (and of its external data)")]
    classes: Annotated[int, _between(CLASSES, "columns of its logits")]
    arch: Annotated[Any, Meta(description="the architecture, where the file says it")]
    precision: Annotated[_Name | None, Meta(description="of its weights: fp32, fp16, int8, ...")]
    input_shape: Annotated[Any, Meta(description="[C, H, W]")]
    mean: Annotated[Any, Meta(description="per channel, of [0, 1] pixels; empty: none")]
    std: Annotated[Any, Meta(description="per channel, likewise")]
    resize: Annotated[Any, Meta(description="the shorter side before the crop; null: none")]
    interpolation: Annotated[Any, Meta(description="of that resize")]
    adapted: Annotated[
        dict[str, Any],
        Meta(description="of a foreign file: the options given (`options`) and what was inferred"),
    ]


class SourceEntry(TypedDict, total=False):
    """The images, before any selection."""

    kind: Annotated[str, _name("folder, npz, tar, parquet, ...")]
    name: Annotated[str, Meta(description="its name, without its folder")]
    images: Annotated[int, Meta(ge=0, le=IMAGES, description="how many it has")]
    classes: Annotated[Any, Meta(description="how many it names; null: unknown")]
    digest: Annotated[
        str, Meta(description="SHA-256 of small files, of the names and sizes of large ones")
    ]
    read_as: Annotated[
        dict[str, Any],
        Meta(description="what was given or inferred to read it: labels, classes, arrays, ..."),
    ]


class IndicesEntry(TypedDict):
    """The file of --indices."""

    name: Annotated[str, Meta(description="its name, without its folder")]
    sha256: Annotated[str, Meta(description="SHA-256 of its bytes")]


class CorrectEntry(TypedDict):
    """What came of --only-correct."""

    tried: Annotated[int, Meta(ge=0, le=IMAGES, description="images that were predicted")]
    correct: Annotated[int, Meta(ge=0, le=IMAGES, description="of these, classified correctly")]
    backend: Annotated[str, _name("that predicted them")]
    device: Annotated[str, _name("that predicted them: its kind")]
    precision: Annotated[str, _name("that predicted them")]


class SelectionEntry(TypedDict, total=False):
    """Which of the images are certified."""

    skip: Annotated[int, _between(SKIP, "every so-many-th image")]
    max: Annotated[int, _between(MAX_IMAGES, "the first so many; -1: all", -1)]
    shard: Annotated[int, Meta(ge=0, lt=int(SHARDS.high), description="this part, from 0")]
    shards: Annotated[int, _between(SHARDS, "parts of the run")]
    indices: Annotated[IndicesEntry, Meta(description="the file of --indices")]
    sample: Annotated[int, _between(SAMPLE, "images drawn at random")]
    stratified: Annotated[bool, Meta(description="from each class its share")]
    sample_seed: Annotated[int, _seed("of that drawing")]
    only_correct: Annotated[CorrectEntry, Meta(description="what came of --only-correct")]
    chosen: Annotated[str, Meta(description="the images of all shards, as runs: 0-3,7,9")]


class RunEntry(TypedDict, total=False):
    """What decides every byte of the log but its column `time`."""

    procedure: Annotated[str, _name("certify, predict, table or radius")]
    sigma: Annotated[
        float,
        Meta(gt=RADIUS_SIGMA.low, le=RADIUS_SIGMA.high, description="noise level of [0, 1] pixels"),
    ]
    alpha: Annotated[
        float, Meta(gt=0.0, lt=1.0, description="failure probability of a row's certificate")
    ]
    bound: Annotated[str, _name("two-class: with a bound of the runner-up; absent: one-sided")]
    alpha_runner_up: Annotated[
        float, Meta(gt=0.0, lt=1.0, description="two-class: the part of alpha for the runner-up")
    ]
    n0: Annotated[int, _between(SELECTION_SAMPLES, "selection or pilot samples of an image", 0)]
    n: Annotated[int, _between(SAMPLES, "samples of an image: the most, where it varies")]
    radii: Annotated[
        list[Annotated[float, Meta(ge=RADIUS.low, le=RADIUS.high)]],
        Meta(min_length=1, max_length=int(RADII.high), description="table mode: radii decided"),
    ]
    budgeted: Annotated[bool, Meta(description="table mode: a budget may leave radii undecided")]
    setting: Annotated[str, _name("table mode: how errors are spent over looks and radii")]
    looks: Annotated[
        list[Annotated[int, Meta(ge=1, le=int(SAMPLES.high))]],
        Meta(min_length=1, max_length=LOOKS, description="table mode: samples at each look"),
    ]
    spending: Annotated[Any, Meta(description="table mode: of alpha over the looks")]
    fine_step: Annotated[Any, Meta(description="table mode: step of the returned radius / sigma")]
    boundaries: Annotated[Any, Meta(description="table mode: digest of all its thresholds")]
    sizes: Annotated[Any, Meta(description="radius mode: numbers of samples that it plans with")]
    checks: Annotated[Any, Meta(description="radius mode: parts of a size at which it may stop")]
    plan: Annotated[Any, Meta(description="radius mode: digest of what every pilot plans")]
    beta: Annotated[
        Any, Meta(description="table, radius: risk of giving up what could be certified")
    ]
    label_aware: Annotated[bool, Meta(description="whether the label decides when to stop")]
    tolerance: Annotated[
        float, Meta(gt=0.0, lt=1.0, description="radius mode: part of the radius given up")
    ]
    samples_price: Annotated[
        float,
        Meta(gt=0.0, le=SAMPLES_PRICE.high, description="radius mode: radius / sigma per 100,000"),
    ]
    family_wise: Annotated[int, _between(FAMILY_WISE, "images that share alpha")]
    n_zeta: Annotated[int, _between(PAIRED_SAMPLES, "transfer: paired samples of an image")]
    alpha_zeta: Annotated[
        float,
        Meta(gt=0.0, lt=ALPHA_ZETA.high, description="transfer: what it adds to alpha"),
    ]
    seed: Annotated[int, _seed("the key of the noise")]
    noise: Annotated[str, _name("the noise law and its generator")]
    total_variation: Annotated[
        float, Meta(description="distance of an image's noise from the ideal, taken off alpha")
    ]
    model: Annotated[ModelEntry, Meta(description="the model file")]
    transfer_to: Annotated[ModelEntry, Meta(description="transfer: the reference model's file")]
    backend: Annotated[str, _name("what ran the model, by its name in `--backend`")]
    precision: Annotated[_Name | None, Meta(description="it computed in")]
    device: Annotated[str, _name("it computed on: its kind, cpu or cuda")]
    batch: Annotated[int, Meta(ge=1, description="rows of a batch, where the model's votes ask it")]
    source: Annotated[SourceEntry, Meta(description="the images")]
    selection: Annotated[SelectionEntry, Meta(description="which of them are certified")]


class VerdictEntry(TypedDict, total=False):
    """How it is known that a row's vote depends on that row alone."""

    verdict: Annotated[str, _name("proven (of the graph) or probed (at run time)")]
    equality: Annotated[str, _name("of logits in other batches: bitwise, or else")]
    batch: Annotated[int | None, Meta(description="the batch to which it is bound")]


class OpenedEntry(TypedDict, total=False):
    """A model as a session ran it; others: batch, threads, driver, layout, rates of tuning, ..."""

    runtime: Annotated[str, Meta(description="its name and version")]
    tuned: Annotated[bool, Meta(description="kernels were chosen by measurement")]
    row_independence: Annotated[VerdictEntry, Meta(description="what was found on opening it")]


class BackendEntry(OpenedEntry, total=False):
    """As above, and the reference model's beside it."""

    reference: Annotated[OpenedEntry, Meta(description="transfer: the reference model's")]


class SessionEntry(TypedDict, total=False):
    """The circumstances of a process that worked on the log: none decides a certificate."""

    python: Annotated[Any, Meta(description="version of Python")]
    system: Annotated[Any, Meta(description="operating system and architecture")]
    processor: Annotated[Any, Meta(description="the processor's name")]
    cores: Annotated[Any, Meta(description="cores it could use")]
    packages: Annotated[dict[str, Any], Meta(description="versions of packages, by name")]
    commit: Annotated[Any, Meta(description="the commit of smoothcert, where it is known")]
    backend: Annotated[BackendEntry, Meta(description="the model as it ran here")]
    model_path: Annotated[str, Meta(description="where the model file was")]
    reference_path: Annotated[str, Meta(description="where the reference's was")]
    repeats: Annotated[
        dict[str, Any], Meta(description="`rows` drawn a second time, and votes `turned`")
    ]


class FailedEntry(TypedDict):
    """An image without a row."""

    idx: Annotated[int, Meta(ge=0, lt=IMAGES, description="the image")]
    reason: Annotated[str, Meta(description="why it has none")]


class Manifest(TypedDict, total=False):
    """A JSON object beside a log, in a regular file of UTF-8."""

    run: Annotated[RunEntry, Meta(description="what decides every byte of the log but the times")]
    status: Annotated[
        str,
        _name("running, partial (some images failed), undecided (a budget ended it) or complete"),
    ]
    sessions: Annotated[
        list[SessionEntry], Meta(description="the processes that worked on it, in order")
    ]
    row_independence: Annotated[
        dict[str, str], Meta(description="by model file, the weakest verdict of all sessions")
    ]
    images: Annotated[
        int | None, Meta(description="images that were selected; once the run has ended")
    ]
    failed: Annotated[list[FailedEntry], Meta(description="of a partial log, what has no row")]


class Purpose(Enum):
    """What a manifest is read for; the value says it in an error."""

    ANALYSIS = "an analysis"
    RESUME = "a run that is resumed"
    MERGE = "a merge"
    AUDIT = "an audit"


_SELECTED = tuple(f"run.selection.{name}" for name in ("skip", "max", "shard", "shards"))
_TRIED = ("run.procedure", "run.sigma", "run.source.images", *_SELECTED)

REQUIRED: dict[Purpose, tuple[str, ...]] = {
    Purpose.ANALYSIS: (),
    Purpose.RESUME: ("run", "sessions"),
    Purpose.MERGE: ("sessions", "run.model.classes", "run.total_variation", *_TRIED),
    Purpose.AUDIT: (
        "sessions", "run.seed", "run.model.sha256", "run.backend", "run.device", *_TRIED,
    ),
}  # fmt: skip
"""Entries that each purpose cannot do without. What a procedure asks for beside them it says."""
