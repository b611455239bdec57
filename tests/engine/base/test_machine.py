"""What is said of a machine: true, serialisable, and free of names that identify its owner."""

import importlib.metadata
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from smoothcert.engine.base.cores import usable_cores
from smoothcert.engine.base.machine import describe_machine, gpu_memory_used, version_of

FakeDistribution = Callable[..., Path]


def test_versions_are_those_installed() -> None:
    assert version_of("numpy") == importlib.metadata.version("numpy")
    assert version_of("no-such-package") is None
    assert version_of("no-such-package", "numpy") == importlib.metadata.version("numpy")


def test_the_machine_is_described_without_names() -> None:
    machine = describe_machine()
    text = json.dumps(machine)
    assert machine["cores"] == usable_cores()
    assert machine["packages"]["smoothcert"]
    assert machine["packages"]["onnxruntime"]
    assert socket.gethostname() not in text
    assert os.getcwd() not in text  # noqa: PTH109


def test_describing_imports_nothing_heavy() -> None:
    code = (
        "import sys; from smoothcert.engine.base.machine import describe_machine;"
        "describe_machine(); print({'onnxruntime', 'torch', 'numba', 'numpy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_a_part_is_recorded_whichever_distribution_brings_it(
    fake_distribution: FakeDistribution, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(fake_distribution("tensorrt-cu12")))
    assert describe_machine()["packages"]["tensorrt"] == "9.9"


@pytest.mark.parametrize(
    ("script", "used"),
    [
        ("echo 1024; echo 3", [2**30, 3 * 2**20]),
        ("echo 'driver mismatch'; exit 9", []),
        ("true", []),
    ],
)
def test_gpu_memory_is_what_the_drivers_tool_tells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, used: list[int]
) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\n{script}\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert gpu_memory_used() == used
