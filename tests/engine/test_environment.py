"""What is said of a machine: true, serialisable, and free of names that identify its owner."""

import importlib.metadata
import json
import os
import socket

from smoothcert.engine.environment import describe_machine, diagnose, version_of


def test_versions_are_those_installed() -> None:
    assert version_of("numpy") == importlib.metadata.version("numpy")
    assert version_of("no-such-package") is None
    assert version_of("no-such-package", "numpy") == importlib.metadata.version("numpy")


def test_the_machine_is_described_without_names() -> None:
    machine = describe_machine()
    text = json.dumps(machine)
    assert machine["cores"] == len(os.sched_getaffinity(0))
    assert machine["packages"]["smoothcert"]
    assert socket.gethostname() not in text
    assert os.getcwd() not in text  # noqa: PTH109


def test_every_missing_part_names_its_extra() -> None:
    for entry in diagnose():
        if entry["state"] == "missing" and entry["part"] not in ("cache",):
            assert "pip install 'smoothcert[" in entry["note"]
