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

from smoothcert.engine.base.machine import describe_machine, version_of

FakeDistribution = Callable[..., Path]


def test_versions_are_those_installed() -> None:
    assert version_of("numpy") == importlib.metadata.version("numpy")
    assert version_of("no-such-package") is None
    assert version_of("no-such-package", "numpy") == importlib.metadata.version("numpy")


def test_the_machine_is_described_without_names() -> None:
    machine = describe_machine()
    text = json.dumps(machine)
    assert machine["cores"] == len(os.sched_getaffinity(0))
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
