"""What this machine and installation are: for a run's manifest, and for `smoothcert doctor`."""

import importlib.metadata
import os
import platform
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from smoothcert.engine.cache import cache_folder
from smoothcert.engine.errors import InputError


@dataclass(frozen=True)
class Part:
    """An optional package: the distributions that may bring it, what for, and how to get it."""

    name: str
    distributions: tuple[str, ...]
    purpose: str
    install: str


PARTS = (
    Part("onnxruntime", ("onnxruntime", "onnxruntime-gpu"), "run ONNX models", "cpu"),
    Part("onnx", ("onnx",), "read and write ONNX models", "cpu"),
    Part("torch", ("torch",), "checkpoints, torch modules, training", "export"),
    Part("onnxscript", ("onnxscript",), "export to ONNX", "export"),
    Part("safetensors", ("safetensors",), "safetensors checkpoints", "export"),
    Part("pyarrow", ("pyarrow",), "parquet sources", "parquet"),
)
"""What smoothcert can use beyond its own requirements; `install` is the extra that brings it."""

_RECORDED = ("smoothcert", "numpy", "numba", "scipy", "pillow")
_FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8")


def version_of(*distributions: str) -> str | None:
    """The version of the first of these distributions that is installed, without importing it."""
    for distribution in distributions:
        try:
            return importlib.metadata.version(distribution)
        except importlib.metadata.PackageNotFoundError:
            continue
    return None


def _cpuinfo(key: str) -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith(key):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return ""


def processor_name() -> str:
    """The processor's name where the system tells it, else its architecture."""
    return _cpuinfo("model name") or platform.machine()


def processor_flags() -> list[str]:
    """The vector instruction sets of this processor that matter to inference."""
    present = set(_cpuinfo("flags").split())
    return [flag for flag in _FLAGS if flag in present]


def usable_cores() -> int:
    """The cores this process may run on."""
    return len(os.sched_getaffinity(0))


def describe_machine() -> dict[str, Any]:
    """What a manifest records of a session's machine: JSON-serialisable, no host name, no path."""
    names = (*_RECORDED, *(part.name for part in PARTS))
    versions = {name: version for name in names if (version := version_of(name))}
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": processor_name(),
        "cores": usable_cores(),
        "packages": versions,
    }


def gpu_names() -> list[str]:
    """The NVIDIA GPUs that the driver's own tool lists; empty without a driver."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    try:
        listed = subprocess.run(
            [tool, "--query-gpu=name", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return []
    return [line.strip() for line in listed.stdout.splitlines() if line.strip()]


def diagnose() -> list[dict[str, str]]:
    """One entry {part, state, note} for everything `doctor` reports."""
    report = [
        ("python", platform.python_version(), f"{platform.system()} {platform.machine()}"),
        ("processor", processor_name(), f"{usable_cores()} cores, {' '.join(processor_flags())}"),
        ("GPU", ", ".join(gpu_names()) or "none", "NVIDIA, as the driver lists them"),
    ]
    for name in _RECORDED:
        report.append((name, version_of(name) or "missing", "required"))
    for part in PARTS:
        version = version_of(*part.distributions)
        note = part.purpose
        if version is None:
            note += f"; pip install 'smoothcert[{part.install}]'"
        report.append((part.name, version or "missing", note))
    try:
        folder = cache_folder("")
        writable = os.access(folder, os.W_OK)
        report.append(("cache", "writable" if writable else "read-only", str(folder)))
    except InputError as error:
        report.append(("cache", "missing", str(error)))
    return [{"part": part, "state": state, "note": note} for part, state, note in report]
