"""The TensorRT module: full TensorRT and TensorRT for RTX have one API, class for class.

Everything else is given the module as `trt`. What only TensorRT for RTX has is in
rtx.py.
"""

import importlib.util
import re
from dataclasses import dataclass
from typing import Any

from smoothcert.engine.backends.tensorrt.log import LogKeeper
from smoothcert.engine.base.errors import (
    DeviceUnavailableError,
    InputError,
    MissingPartError,
    one_line,
    require,
)

RUNTIMES = ("tensorrt", "tensorrt-rtx")
"""Names of runtimes; each is also the extra that installs it."""

_MODULES = {"tensorrt": "tensorrt", "tensorrt-rtx": "tensorrt_rtx"}
# Full TensorRT: older bindings handle Python objects in parse and deserialize without Python's
# lock, and a build runs beside a thread that shows it. For RTX: 1.4 has the API of TensorRT 10.
_OLDEST = {"tensorrt": (10, 13), "tensorrt-rtx": (1, 5)}
_ALL_STRONGLY_TYPED = {"tensorrt": (11, 0), "tensorrt-rtx": (1, 5)}


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

    @property
    def network_flags(self) -> int:
        """What create_network is given for a strongly typed network, whose precision is the
        model's: 10 knows another kind too, from 11 on there is none."""
        if _release(self.version) >= _ALL_STRONGLY_TYPED[self.name]:
            return 0
        return 1 << int(self.trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)

    def start(self, log: LogKeeper, *, host_code: bool) -> Any:
        """A trt.Runtime, for the GPU that is this thread's current one.

        host_code  whether a plan may bring code for the host too: a version-compatible one carries
                   the runtime of its version. Only for plans that are trusted (trust.py).
        Raises DeviceUnavailableError where it does not start.
        """
        runtime = log.ask(lambda: self.trt.Runtime(log.logger), self.unusable)
        if host_code:
            runtime.engine_host_code_allowed = True
        return runtime

    def unusable(self, reason: str) -> InputError:
        """The error for a runtime whose first object cannot be made."""
        return DeviceUnavailableError(
            f"{self.name} {self.version} does not start here ({reason}): expected a GPU and a "
            "driver that it supports; see `smoothcert doctor`"
        )


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
        version = str(trt.__version__)
        release = _release(version)
    except InputError:
        raise
    except Exception as error:  # the package's own: a loader's OSError, what its bindings raise
        reason = one_line(error)
        raise InputError(
            f"{purpose} needs the package {_MODULES[name]}, which cannot be loaded ({reason}): "
            f"pip install --force-reinstall 'smoothcert[{name}]'"
        ) from None
    if release < _OLDEST[name]:
        oldest = ".".join(map(str, _OLDEST[name]))
        raise InputError(
            f"{name} {version} is too old: expected {oldest} or newer; "
            f"pip install -U 'smoothcert[{name}]'"
        )
    return TensorRT(name, version, trt)


def _release(version: str) -> tuple[int, int]:
    found = re.match(r"(\d+)\.(\d+)", version)
    if found is None:
        raise ImportError(f"version {version!r}")
    return int(found[1]), int(found[2])
