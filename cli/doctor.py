"""`smoothcert doctor`: what this machine can run, what files are, and what is missing."""

import contextlib
import importlib.metadata
import json
import os
import platform
import re
import sys
from pathlib import Path
from typing import Any

import click

from smoothcert.cli.diagnosis.showing import show
from smoothcert.cli.file_options import SOURCE, model_options, source_options
from smoothcert.cli.grouping import GroupedCommand
from smoothcert.cli.shell.printing import echo_result
from smoothcert.engine.backends.device.driver import Gpu, driver_version, gpus
from smoothcert.engine.base.cores import runnable_cores, usable_cores
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.files import cache_folder
from smoothcert.engine.base.machine import (
    PARTS,
    REQUIRED,
    Part,
    processor_flags,
    processor_name,
    version_of,
)
from smoothcert.engine.base.onnx_runtime import clash

_NOT_FOR_USERS = ("dev", "kernel-tests")


@click.command("doctor", cls=GroupedCommand)
@click.argument("paths", type=SOURCE, nargs=-1, metavar="[MODEL] [SOURCE] [LOG]...")
@click.option("--json", "as_json", is_flag=True, help="One JSON array.")
@model_options
@source_options
def command(paths: tuple[str, ...], as_json: bool, **options: Any) -> None:
    """Say what this machine can run, what is missing, and how to install it.

    With paths: what each of these files or folders is (a model, images or a log, told from the
    content), what a run would take for granted of it, what is missing, and the command to type
    next; of a model and images together, whether they fit and how many the model gets right.

    Exit 0; 1 where a file cannot be used, whatever is typed with it; 2 where it does not exist.
    """
    if paths:
        from smoothcert.cli.diagnosis.paths import diagnose_paths

        entries, usable = diagnose_paths(paths, options)
    else:
        entries, usable = diagnose(), True
    if as_json:
        echo_result(json.dumps(entries))
    else:
        show(entries)
    if not usable:
        sys.exit(1)


def install_command(part: Part, *, gpu: bool) -> str:
    """What brings a part: an extra of smoothcert where its metadata has one, else the package.

    Of several extras it is `gpu` (`gpu-cuda12` for a driver older than CUDA 13) or `cpu`, as asked,
    or else the first.
    """
    extras = _extras()
    offered = [extra for name in part.distributions for extra in extras.get(_normal(name), ())]
    if not offered:
        return f"pip install {part.distributions[0]}"
    version = driver_version() if gpu else None
    old = version is not None and version < (13, 0)
    wanted = "cpu" if not gpu else "gpu-cuda12" if old else "gpu"
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
            found.setdefault(_normal(name[0]), []).append(extra[1])
    return found


def _normal(distribution: str) -> str:
    """A distribution's name as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", distribution).lower()


def diagnose() -> list[dict[str, str]]:
    """One entry {part, state, note} for everything `doctor` reports.

    The state is a version, name or count, or one of: missing, broken, unused (a part for a GPU,
    where there is none), read-only; for `cuda:0 auto` it is a backend. Imports nothing heavy but
    ONNX Runtime, to ask it what it can run on, and where there is a GPU what runs on it.
    """
    present = gpus()
    found = [gpu.name for gpu in present]
    flags = " ".join(processor_flags()) or "no vector flags known"
    report = [
        ("python", platform.python_version(), f"{platform.system()} {platform.machine()}"),
        ("processor", processor_name(), f"{_cores()}, {flags}"),
        ("GPU", ", ".join(found) or "none", "NVIDIA, as the driver lists them"),
    ]
    for name in REQUIRED:
        version = version_of(name)
        note = "required" if version else "required; pip install smoothcert"
        report.append((name, version or "missing", note))
    report += [(part.name, *_diagnose_part(part, bool(found))) for part in PARTS]
    report += [(f"cuda:{gpu.index} auto", *_diagnose_gpu(gpu)) for gpu in present]
    report.append(("cache", *_diagnose_cache()))
    return [{"part": part, "state": state, "note": note} for part, state, note in report]


def _cores() -> str:
    usable, runnable = usable_cores(), runnable_cores()
    if usable == runnable:
        return f"{usable} cores"
    return f"{usable} cores (of {runnable}: its control group's CPU quota, or PYTHON_CPU_COUNT)"


def _diagnose_part(part: Part, gpu: bool) -> tuple[str, str]:
    version = version_of(*part.distributions)
    if version is None:
        state = "unused" if part.gpu_only and not gpu else "missing"
        only = " (NVIDIA GPUs only)" if part.gpu_only else ""
        return state, f"{part.purpose}{only}; {install_command(part, gpu=gpu)}"
    if part.name == "onnxruntime":
        return _diagnose_onnxruntime(version, part)
    return version, part.purpose


def _diagnose_gpu(gpu: Gpu) -> tuple[str, str]:
    """Which backend --backend auto would take there, and what stands in the way of a faster one."""
    from smoothcert.engine.backends.gpu import availability

    lacking: list[str] = []
    for backend, reason in availability(gpu).items():
        if reason is None:
            precision = "in the model's own precision"
            if backend == "torch":
                precision += ", or with --precision auto in fp16 where the model bears it"
            faster = f"; would be tried first: {'; '.join(lacking)}" if lacking else ""
            return backend, f"what --backend auto takes on {gpu.name}, {precision}{faster}"
        lacking.append(f"{backend} ({reason})")
    return "missing", f"no backend runs on {gpu.name}: {'; '.join(lacking)}"


def _diagnose_onnxruntime(version: str, part: Part) -> tuple[str, str]:
    both = clash()
    if both:
        return "broken", both
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
