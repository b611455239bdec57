"""The CUDA libraries that ONNX Runtime's CUDA provider needs, loaded from where pip puts them.

NVIDIA's wheels have them in folders that no loader looks into (nvidia/cu13/lib, nvidia/cudnn/lib).
ONNX Runtime's preload_dlls looks beside itself alone; they may as well be beside PyTorch, in the
user's own site folder, or anywhere else on sys.path. Once loaded they are found by name.
"""

import contextlib
import ctypes
import importlib.util
import io
import os
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from smoothcert.engine.base.errors import DeviceUnavailableError, one_line

# In an order in which each finds what it is linked with.
_LIBRARIES = (
    "libcudart",
    "libnvrtc",
    "libcublasLt",
    "libcublas",
    "libcurand",
    "libcufft",
    "libcudnn",
)


def library_folders(first: Path) -> list[Path]:
    """The folders with NVIDIA's libraries, in the order in which they are to be tried: of the site
    folder `first`, of PyTorch's, then of all others on sys.path."""
    sites = [first, *_site_of("torch"), *map(Path, sys.path)]
    folders = [
        folder
        for site in dict.fromkeys(sites)
        for pattern in ("nvidia/*/lib", "torch/lib")
        for folder in sorted(site.glob(pattern))
    ]
    return list(dict.fromkeys(folders))


def _site_of(package: str) -> Iterator[Path]:
    """The folder that an installed package lies in; it is not imported."""
    with contextlib.suppress(ImportError, ValueError):  # as find_spec says of a damaged one
        spec = importlib.util.find_spec(package)
        if spec is not None and spec.origin is not None:
            yield Path(spec.origin).parent.parent


def load_libraries(folders: list[Path]) -> list[Path]:
    """Load what is there of the libraries, each from the first folder that has it and where the
    process has it not yet; returns what was loaded. One that does not load is left out."""
    loaded = []
    for library in _LIBRARIES:
        for folder in folders:
            for path in sorted(folder.glob(f"{library}.so.[0-9]*")):
                if not _is_loaded(path.name):
                    with contextlib.suppress(OSError):
                        ctypes.CDLL(str(path))
                        loaded.append(path)
    return loaded


def _is_loaded(name: str) -> bool:
    try:
        ctypes.CDLL(name, mode=os.RTLD_NOLOAD | os.RTLD_LAZY)
    except OSError:
        return False
    return True


@cache
def preload(runtime: Any) -> None:
    """Have the CUDA libraries at hand for `runtime`, the onnxruntime module; once per process.

    What cannot be found is not said here but where the provider then fails: see `no_provider`.
    """
    if sys.platform == "linux":
        load_libraries(library_folders(Path(runtime.__file__).parent.parent))
    if hasattr(runtime, "preload_dlls"):  # for what else it does in its version
        with contextlib.redirect_stdout(io.StringIO()):  # it prints what it cannot find
            runtime.preload_dlls()


def no_provider(runtime: Any) -> DeviceUnavailableError:
    """What is said where ONNX Runtime has the CUDA provider but could not load it."""
    folder = Path(runtime.__file__).parent / "capi"
    reason = ""
    try:
        for name in ("shared", "cuda"):
            ctypes.CDLL(str(folder / f"libonnxruntime_providers_{name}.so"), ctypes.RTLD_GLOBAL)
    except OSError as error:
        reason = f" ({one_line(error)})"
    built_for = getattr(runtime, "cuda_version", "") or "the version"
    windows = "; on Windows, GPUs are used under WSL2" if sys.platform == "win32" else ""
    return DeviceUnavailableError(
        f"ONNX Runtime could not load its CUDA provider{reason}: expected an NVIDIA driver, and "
        f"the CUDA ({built_for}) and cuDNN that onnxruntime-gpu {runtime.__version__} is built for;"
        f" pip install 'smoothcert[gpu]' brings both{windows}"
    )
