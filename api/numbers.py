"""The numbers of a call from Python: each of its range, and as Python's own."""

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.ranges import (
    ALPHA,
    ALPHA_ZETA,
    BATCH,
    CALIBRATION_IMAGES,
    CLASSES,
    FAMILY_WISE,
    INPUT_END,
    MAX_IMAGES,
    MAX_ZETA,
    MEAN,
    PAIRED_SAMPLES,
    RADII,
    RADIUS,
    RESIZE,
    ROWS,
    SAMPLE,
    SAMPLES,
    SAMPLES_PRICE,
    SEED,
    SELECTION_SAMPLES,
    SIDE,
    SIGMA,
    SKIP,
    STD,
    THREADS,
    THRESHOLD,
    TOLERANCE,
    WORKERS,
    Range,
)
from smoothcert.engine.base.wording import shown

NUMBERS = {
    "sigma": SIGMA,
    "n0": SELECTION_SAMPLES,
    "n": SAMPLES,
    "alpha": ALPHA,
    "tolerance": TOLERANCE,
    "samples_price": SAMPLES_PRICE,
    "family_wise": FAMILY_WISE,
    "n_zeta": PAIRED_SAMPLES,
    "alpha_zeta": ALPHA_ZETA,
    "seed": SEED,
    "sample": SAMPLE,
    "sample_seed": SEED,
    "skip": SKIP,
    "max": MAX_IMAGES,
    "rows": ROWS,
    "batch": BATCH,
    "threads": THREADS,
    "workers": WORKERS,
    "resize": RESIZE,
    "threshold": THRESHOLD,
    "num_classes": CLASSES,
    "images": CALIBRATION_IMAGES,
    "max_zeta": MAX_ZETA,
}
"""Options that are a number each."""

LISTS: dict[str, tuple[Range, int | None]] = {
    "radii": (RADIUS, None),
    "mean": (MEAN, None),
    "std": (STD, None),
    "input_range": (INPUT_END, 2),
    "input_shape": (SIDE, 3),
    "denoiser_range": (INPUT_END, 2),
    "denoiser_shape": (SIDE, 3),
}
"""Options that are several, and how many where that is fixed."""


def numbers_of(**options: Any) -> dict[str, Any]:
    """The options, with every number as an int or a float and every list of them as a tuple,
    whatever they came as (numpy's, say); None and options of another kind stay as they are.

    Raises InputError for the first that is no number of its range.
    """
    return {name: _number_of(name, value) for name, value in options.items()}


def _number_of(name: str, value: Any) -> Any:
    if value is None:
        return None
    spelled = name.replace("_", "-")
    if name in NUMBERS:
        return NUMBERS[name].check(value, spelled)
    if name not in LISTS:
        return value
    range_, count = LISTS[name]
    if isinstance(value, str | bytes | bytearray | Mapping) or not isinstance(value, Iterable):
        raise InputError(f"{spelled} {shown(value)} is no list of numbers: expected a tuple")
    try:
        parts = list(islice(value, int(RADII.high) + 1))
    except TypeError:  # an array of no dimension
        parts = [value]
    RADII.check(len(parts), f"number of {spelled}")
    if count not in (None, len(parts)):
        raise InputError(f"{spelled} {shown(value)} has {len(parts)} numbers: expected {count}")
    return tuple(range_.check(part, spelled) for part in parts)
