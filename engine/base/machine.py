"""What this machine and installation are: for a run's manifest, and for `smoothcert doctor`."""

import importlib.metadata
import platform
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from smoothcert.engine.base.commit import own_commit
from smoothcert.engine.base.cores import usable_cores


@dataclass(frozen=True)
class Part:
    """An optional package: the distributions that may bring it, and what for.

    Some serve an NVIDIA GPU only.
    """

    name: str
    distributions: tuple[str, ...]
    purpose: str
    gpu_only: bool = False


_VARIANTS = (
    "gpu", "openvino", "directml", "training", "training-cpu", "rocm", "migraphx", "cann", "webgpu",
    "windowsml", "silicon", "trt-rtx",
)  # fmt: skip
ONNXRUNTIMES = (
    "onnxruntime",
    *(f"onnxruntime-{variant}" for variant in _VARIANTS),
    *("ort-nightly", "ort-nightly-gpu", "ort-nightly-directml"),
)
"""The distributions that install the module onnxruntime, each over the files of the others."""

PARTS = (
    Part("onnxruntime", ONNXRUNTIMES, "run ONNX models"),
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

REQUIRED = ("smoothcert", "numpy", "numba", "scipy", "pillow")
_FLAGS = (
    "avx2", "avx512f", "avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_tile", "amx_bf16",
    "amx_int8",
)  # fmt: skip


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


def describe_machine() -> dict[str, Any]:
    """What a manifest records of a session's machine: JSON-serialisable, no host name, no path."""
    sought: dict[str, tuple[str, ...]] = {name: (name,) for name in REQUIRED}
    sought |= {part.name: part.distributions for part in PARTS}
    versions = {name: version for name, d in sought.items() if (version := version_of(*d))}
    described = {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": processor_name(),
        "cores": usable_cores(),
        "packages": versions,
    }
    commit = own_commit()
    return described if commit is None else described | {"commit": commit}


def gpu_memory_used() -> list[int]:
    """Bytes in use on each NVIDIA GPU, as the driver's own tool tells; empty where it does not."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    try:
        listed = subprocess.run(
            [tool, "--query-gpu=memory.used", "--format=csv,noheader,nounits"],
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return []
    return [int(used) * 2**20 for used in listed.stdout.split() if used.isdecimal()]
