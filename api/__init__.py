"""Certifies image classifiers against L2 perturbations by randomized smoothing.

    import smoothcert

    run = smoothcert.certify("model.onnx", "images.npz", sigma=0.5, out="out.tsv")
    for row in run:
        print(row.index, row.predict, row.radius)
    print(run.table([0, 0.25, 0.5]))

does what the command `smoothcert certify` does. Nothing heavy is imported before it is used.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from smoothcert.analysis.results import read_log
    from smoothcert.auditing import audit
    from smoothcert.engine.base.errors import InputError
    from smoothcert.engine.noise.lattice import LatticeGaussian
    from smoothcert.engine.statistics.bounds import certified_radius, lower_confidence_bound
    from smoothcert.exporting import export
    from smoothcert.runs import certify, predict
    from smoothcert.smooth import Smooth

__all__ = [
    "InputError",
    "LatticeGaussian",
    "Smooth",
    "audit",
    "certified_radius",
    "certify",
    "export",
    "lower_confidence_bound",
    "predict",
    "read_log",
]

_HOMES = {
    "InputError": "engine.base.errors",
    "LatticeGaussian": "engine.noise.lattice",
    "Smooth": "smooth",
    "audit": "auditing",
    "certified_radius": "engine.statistics.bounds",
    "certify": "runs",
    "lower_confidence_bound": "engine.statistics.bounds",
    "predict": "runs",
    "read_log": "analysis.results",
}


def __getattr__(name: str) -> Any:
    if name == "export":  # the package, which is called as the function
        return importlib.import_module("smoothcert.export")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(importlib.import_module(f"smoothcert.{_HOMES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
