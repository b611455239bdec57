"""The TensorRT module: full TensorRT and TensorRT for RTX have one API, class for class.

Everything else is given the module as `trt`. What only TensorRT for RTX has is in
rtx.py.
"""

import importlib.util
from dataclasses import dataclass
from typing import Any

from smoothcert.engine.base.errors import InputError, MissingPartError, one_line, require

RUNTIMES = ("tensorrt", "tensorrt-rtx")
"""Names of runtimes; each is also the extra that installs it."""

_MODULES = {"tensorrt": "tensorrt", "tensorrt-rtx": "tensorrt_rtx"}
_OLDEST = {
    "tensorrt": 11,
    "tensorrt-rtx": 1,
}  # 11 is the first that has strongly typed networks only


@dataclass(frozen=True)
class TensorRT:
    """An imported runtime: its name of RUNTIMES, its version, and the module."""

    name: str
    version: str
    trt: Any

    @property
    def rtx(self) -> bool:
        """Whether this is TensorRT for RTX, which compiles the last step on the user's GPU."""
        return self.name == "tensorrt-rtx"


def default_runtime() -> str:
    """tensorrt where it is installed, else tensorrt-rtx; raises MissingPartError without both."""
    for name in RUNTIMES:
        if importlib.util.find_spec(_MODULES[name]) is not None:
            return name
    raise MissingPartError(
        "TensorRT engines need the package tensorrt or tensorrt_rtx, and neither is installed: "
        "pip install 'smoothcert[tensorrt]' or 'smoothcert[tensorrt-rtx]'"
    )


def load_tensorrt(name: str | None, purpose: str) -> TensorRT:
    """Import a runtime of RUNTIMES; None takes the default.

    `purpose` completes "<purpose> needs <package>". Raises InputError for an unknown name, a
    runtime that is not installed, too old, or whose libraries cannot be loaded.
    """
    name = name or default_runtime()
    if name not in RUNTIMES:
        raise InputError(f"runtime {name!r} is unknown: expected one of {', '.join(RUNTIMES)}")
    try:
        trt = require(_MODULES[name], name, purpose)
    except ImportError as error:
        reason = one_line(error)
        raise InputError(
            f"{purpose} needs the package {_MODULES[name]}, which cannot be loaded ({reason}): "
            f"pip install --force-reinstall 'smoothcert[{name}]'"
        ) from None
    version = str(trt.__version__)
    if int(version.partition(".")[0]) < _OLDEST[name]:
        raise InputError(
            f"{name} {version} is too old: expected {_OLDEST[name]} or newer; "
            f"pip install 'smoothcert[{name}]'"
        )
    return TensorRT(name, version, trt)


class LogKeeper:
    """The last errors that TensorRT logged: its calls return None or False without a reason."""

    _KEPT = 20

    def __init__(self, trt: Any) -> None:
        errors = self.errors = list[str]()
        serious = (trt.ILogger.Severity.INTERNAL_ERROR, trt.ILogger.Severity.ERROR)

        class _Log(trt.ILogger):  # type: ignore[misc]
            def __init__(self) -> None:
                trt.ILogger.__init__(self)

            def log(self, severity: Any, message: str) -> None:
                if severity in serious:
                    errors.append(one_line(message, None))
                    del errors[: -LogKeeper._KEPT]

        self.logger = _Log()

    def reason(self) -> str:
        """The first error since the last call, in one line; then none is remembered."""
        first = self.errors[0][:400] if self.errors else "it gave no reason"
        self.errors.clear()
        return first
