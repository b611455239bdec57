"""Options beside a model that says itself what they would say: they agree, or are refused."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.export.foreign.options import ModelOptions, spelled, typed


def check_agrees(
    path: Path,
    spec: InputSpec,
    options: ModelOptions,
    adapted: Any = None,
    logits: str = "",
) -> None:
    """Raise InputError for an option that the metadata of the model at `path` contradicts.

    adapted  what those record of the model that it was adapted from, if anything
    logits   the name of its output
    """
    adapted = adapted if isinstance(adapted, dict) else {}
    mean, std = options.normalisation(spec.channels)
    said: dict[str, tuple[bool, Any]] = {
        "input_shape": (options.input_shape == spec.shape, spec.shape),
        "mean": (_same(mean, spec.mean, 0.0), spec.mean or "none"),
        "std": (_same(std, spec.std, 1.0), spec.std or "none"),
        "input_range": (
            _same(mean, spec.mean, 0.0) and _same(std, spec.std, 1.0),
            f"mean {spec.mean or 'none'}, std {spec.std or 'none'}",
        ),
        "resize": (options.resize == spec.resize, spec.resize or "none"),
        "interpolation": (options.interpolation == spec.interpolation, spec.interpolation),
        "layout": (options.layout in ("nchw", adapted.get("layout")), "nchw"),
        "logits": (
            options.logits in (logits, adapted.get("logits"), _given(adapted, "logits")),
            logits or "one output",
        ),
        "threshold": (options.threshold == adapted.get("threshold"), adapted.get("threshold")),
    }
    for name, value in options.given().items():
        agrees, recorded = said[name]
        if not agrees:
            raise InputError(
                f"{typed(name, value)} contradicts model {path}, whose metadata say "
                f"{'none' if recorded is None else recorded}: expected the same; leave "
                f"{spelled(name)} out"
            )


def _given(adapted: Mapping[str, Any], name: str) -> Any:
    options = adapted.get("options")
    return options.get(name) if isinstance(options, dict) else None


def _same(one: tuple[float, ...], other: tuple[float, ...], default: float) -> bool:
    """Of a value per channel, or none at all where all are the default."""
    length = max(len(one), len(other))
    first, second = (np.array(values or (default,) * length) for values in (one, other))
    return first.shape == second.shape and np.allclose(first, second, rtol=1e-5, atol=1e-7)
