"""ONNX Runtime, which several distributions bring as one module: imported, or what is wrong."""

from typing import Any

from smoothcert.engine.base.errors import InputError, MissingPartError, one_line, require
from smoothcert.engine.base.machine import ONNXRUNTIMES, version_of

_NEEDED = ("InferenceSession", "SessionOptions", "get_available_providers")


def import_onnxruntime(extra: str, purpose: str) -> Any:
    """The module onnxruntime; `extra` and `purpose` are as in errors.require.

    Raises MissingPartError where it is not installed, and InputError where it is and cannot be
    used: two of its distributions that overwrote each other, one whose files another took along
    when it was uninstalled, or whatever its import fails with.
    """
    try:
        module = require("onnxruntime", extra, purpose)
        lacking = [name for name in _NEEDED if not hasattr(module, name)]
        if not lacking:
            return module
        reason = f"it has no {lacking[0]}"
    except MissingPartError:
        if not installed():
            raise
        reason = "its files are missing"
    except Exception as error:  # whatever a damaged installation raises
        reason = one_line(error)
    raise InputError(f"onnxruntime cannot be used ({reason}): {remedy(extra)}")


def installed() -> list[str]:
    """The distributions of ONNX Runtime that are installed, by their metadata."""
    return [name for name in ONNXRUNTIMES if version_of(name)]


def remedy(extra: str) -> str:
    """What to do about an ONNX Runtime that cannot be used, by what is installed."""
    name = (installed() or ["onnxruntime"])[0]
    return clash() or f"pip uninstall {name}, then pip install 'smoothcert[{extra}]'"


def clash() -> str | None:
    """What to say of several distributions of ONNX Runtime at once; None where there is but one."""
    found = installed()
    if len(found) < 2:
        return None
    return (
        f"{', '.join(found[:-1])} and {found[-1]} are installed at once and overwrite each other's "
        f"files; pip uninstall {' '.join(found)}, then install one: pip install 'smoothcert[cpu]', "
        "or 'smoothcert[gpu]' for an NVIDIA GPU"
    )
