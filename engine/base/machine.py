"""What this machine and installation are: for a run's manifest, and for `smoothcert doctor`."""

import contextlib
import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.files import cache_folder


@dataclass(frozen=True)
class Part:
    """An optional package: the distributions that may bring it, and what for.

    Some serve an NVIDIA GPU only.
    """

    name: str
    distributions: tuple[str, ...]
    purpose: str
    gpu_only: bool = False


PARTS = (
    Part("onnxruntime", ("onnxruntime", "onnxruntime-gpu"), "run ONNX models"),
    Part("onnx", ("onnx",), "read and write ONNX models"),
    Part("openvino", ("openvino",), "run ONNX models on Intel processors"),
    Part("torch", ("torch",), "checkpoints, torch modules, training"),
    Part("onnxscript", ("onnxscript",), "export to ONNX"),
    Part("safetensors", ("safetensors",), "safetensors checkpoints"),
    Part("pyarrow", ("pyarrow",), "parquet sources"),
    Part("jinja2", ("jinja2",), "HTML reports"),
    Part("matplotlib", ("matplotlib",), "plots"),
    Part("ray", ("ray",), "clusters"),
    Part("prometheus_client", ("prometheus_client",), "metrics"),
    Part("tensorrt", ("tensorrt", "tensorrt-cu13", "tensorrt-cu12"), "build and run engines", True),
    Part("tensorrt_rtx", ("tensorrt-rtx-cu13", "tensorrt-rtx"), "build engines without a GPU too"),
    Part("cupy", ("cupy-cuda13x", "cupy-cuda12x", "cupy"), "memory, streams, noise kernels", True),
    Part("pycuda", ("pycuda",), "CUDA streams and memory", True),
)
"""What smoothcert can use beyond its own requirements."""

_REQUIRED = ("smoothcert", "numpy", "numba", "scipy", "pillow")
_FLAGS = (
    "avx2", "avx512f", "avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_tile", "amx_bf16",
    "amx_int8",
)  # fmt: skip
_NOT_FOR_USERS = ("dev", "kernel-tests")


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
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1  # systems that pin no process to cores


def describe_machine() -> dict[str, Any]:
    """What a manifest records of a session's machine: JSON-serialisable, no host name, no path."""
    sought: dict[str, tuple[str, ...]] = {name: (name,) for name in _REQUIRED}
    sought |= {part.name: part.distributions for part in PARTS}
    versions = {name: version for name, d in sought.items() if (version := version_of(*d))}
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": processor_name(),
        "cores": usable_cores(),
        "packages": versions,
    }


def gpu_names() -> list[str]:
    """The NVIDIA GPUs that the driver's own tool lists; empty without a driver."""
    return _ask_gpus("name")


def gpu_memory_used() -> list[int]:
    """Bytes in use on each NVIDIA GPU, as far as the driver's own tool tells."""
    return [int(used) * 2**20 for used in _ask_gpus("memory.used") if used.isdecimal()]


def _ask_gpus(field: str) -> list[str]:
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    try:
        listed = subprocess.run(
            [tool, f"--query-gpu={field}", "--format=csv,noheader,nounits"],
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return []
    return [line.strip() for line in listed.stdout.splitlines() if line.strip()]


def install_command(part: Part, *, gpu: bool) -> str:
    """What brings a part: an extra of smoothcert where its metadata has one, else the package.

    Of several extras it is `gpu` or `cpu`, as asked, or else the first.
    """
    extras = _extras()
    offered = [extra for name in part.distributions for extra in extras.get(name, ())]
    if not offered:
        return f"pip install {part.distributions[0]}"
    wanted = "gpu" if gpu else "cpu"
    return f"pip install 'smoothcert[{wanted if wanted in offered else offered[0]}]'"


def _extras() -> dict[str, list[str]]:
    """Distribution -> the extras of smoothcert that install it, in the order of pyproject.toml."""
    found: dict[str, list[str]] = {}
    try:
        requirements = importlib.metadata.requires("smoothcert") or []
    except importlib.metadata.PackageNotFoundError:
        return found
    for requirement in requirements:
        name = re.match(r"[\w.-]+", requirement)
        extra = re.search(r"""extra == ["']([\w-]+)["']""", requirement)
        if name and extra and extra[1] not in _NOT_FOR_USERS:
            found.setdefault(re.sub(r"[-_.]+", "-", name[0]).lower(), []).append(extra[1])
    return found


def diagnose() -> list[dict[str, str]]:
    """One entry {part, state, note} for everything `doctor` reports.

    The state is a version, name or count, or one of: missing, broken, unused (a part for a GPU,
    where there is none), read-only. Imports nothing heavy but ONNX Runtime, to ask it what it
    can run on.
    """
    gpus = gpu_names()
    flags = " ".join(processor_flags()) or "no vector flags known"
    report = [
        ("python", platform.python_version(), f"{platform.system()} {platform.machine()}"),
        ("processor", processor_name(), f"{usable_cores()} cores, {flags}"),
        ("GPU", ", ".join(gpus) or "none", "NVIDIA, as the driver lists them"),
    ]
    for name in _REQUIRED:
        version = version_of(name)
        note = "required" if version else "required; pip install smoothcert"
        report.append((name, version or "missing", note))
    report += [(part.name, *_diagnose_part(part, bool(gpus))) for part in PARTS]
    report.append(("cache", *_diagnose_cache()))
    return [{"part": part, "state": state, "note": note} for part, state, note in report]


def _diagnose_part(part: Part, gpu: bool) -> tuple[str, str]:
    version = version_of(*part.distributions)
    if version is None:
        state = "unused" if part.gpu_only and not gpu else "missing"
        only = " (NVIDIA GPUs only)" if part.gpu_only else ""
        return state, f"{part.purpose}{only}; {install_command(part, gpu=gpu)}"
    if part.name == "onnxruntime":
        return _diagnose_onnxruntime(version, part)
    return version, part.purpose


def _diagnose_onnxruntime(version: str, part: Part) -> tuple[str, str]:
    if all(map(version_of, part.distributions)):
        both = " and ".join(part.distributions)
        return "broken", f"{both} overwrite each other's files; uninstall both, then install one"
    try:
        import onnxruntime

        providers = [name.removesuffix("ExecutionProvider")
                     for name in onnxruntime.get_available_providers()]  # fmt: skip
    except Exception as error:  # whatever a damaged installation raises is what there is to report
        first = (str(error).splitlines() or [type(error).__name__])[0]
        return "broken", f"{version} cannot be imported: {first}"
    return version, f"{part.purpose}; providers {', '.join(providers)}"


def _diagnose_cache() -> tuple[str, str]:
    try:
        folder = cache_folder("")
    except InputError as error:
        return "missing", str(error)
    size = 0
    for directory, _, files in os.walk(folder):
        for name in files:
            with contextlib.suppress(OSError):  # a running command may be replacing it
                size += Path(directory, name).lstat().st_size
    writable = os.access(folder, os.W_OK)
    return "writable" if writable else "read-only", f"{folder}, {size / 1e6:.1f} MB"
