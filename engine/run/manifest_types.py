"""The types of a manifest's entries: anyone may have written it."""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from smoothcert.engine.base.errors import InputError


def check_types(run: Mapping[str, Any], path: Path) -> None:
    """Raise InputError, naming the manifest at `path`, unless the entries of its run that cannot be
    recomputed are of their types."""
    for name, (fits, expected) in _ENTRIES.items():
        if (name in run or name in _REQUIRED) and not fits(run.get(name)):
            raise InputError(
                f"{path} has {name} {shown(run.get(name))} in its run: expected {expected}; was it "
                "edited?"
            )


def shown(value: Any, most: int = 40) -> str:
    """A value of anyone's making, in one short printable line."""
    try:
        text = ascii(value)
    except ValueError:  # an integer of more digits than Python prints
        text = f"a number of {value.bit_length()} bits" if _is_integer(value) else "a large value"
    return text if len(text) <= most else f"{text[:most]}..."


def _is_number(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return _is_bounded(value)


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return _is_bounded(value) and value >= 0


def _is_seed(value: Any) -> bool:
    return _is_integer(value) and 0 <= value < 2**64


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


def _is_model(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("sha256"), str)


def _is_selection(value: Any) -> bool:
    return isinstance(value, dict) and all(
        _OF_A_SUBSET.get(name, _is_bounded)(entry) for name, entry in value.items()
    )


def _is_index_file(value: Any) -> bool:
    return isinstance(value, dict) and all(_is_text(value.get(name)) for name in ("name", "sha256"))


def _is_outcome(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and all(_is_count(value.get(name)) for name in ("tried", "correct"))
        and all(_is_text(value.get(name)) for name in ("backend", "device", "precision"))
    )


def _is_bounded(value: Any) -> bool:
    return _is_integer(value) and abs(value) < 2**63


def _list_of(fits: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and all(map(fits, value))


_OF_A_SUBSET: dict[str, Callable[[Any], bool]] = {
    "indices": _is_index_file,
    "sample": _is_count,
    "stratified": _is_flag,
    "sample_seed": _is_seed,
    "only_correct": _is_outcome,
    "chosen": _is_text,
}
_COUNT = (_is_count, "a number of samples")
_NUMBER = (_is_number, "a number")
_TEXT = (_is_text, "a name")
_MODEL = (_is_model, "an object with sha256")
_REQUIRED = ("procedure", "sigma", "seed", "model", "backend", "device", "source", "selection")
_ENTRIES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "procedure": _TEXT,
    "sigma": _NUMBER,
    "alpha": _NUMBER,
    "n0": _COUNT,
    "n": _COUNT,
    "radii": (_list_of(_is_number), "a list of radii"),
    "setting": _TEXT,
    "looks": (_list_of(_is_count), "a list of numbers of samples"),
    "label_aware": (_is_flag, "true or false"),
    "tolerance": _NUMBER,
    "samples_price": _NUMBER,
    "family_wise": (_is_count, "a number of images"),
    "n_zeta": _COUNT,
    "alpha_zeta": _NUMBER,
    "seed": (_is_seed, "a whole number of 64 bits"),
    "backend": _TEXT,
    "precision": _TEXT,
    "device": _TEXT,
    "model": _MODEL,
    "transfer_to": _MODEL,
    "source": (_is_object, "an object"),
    "selection": (_is_selection, "whole numbers, and what chose a subset"),
}
