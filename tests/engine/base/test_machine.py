"""What is said of a machine: true, serialisable, and free of names that identify its owner."""

import importlib.metadata
import json
import os
import socket
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from smoothcert.engine.base.machine import (
    PARTS,
    Part,
    describe_machine,
    diagnose,
    gpu_names,
    install_command,
    version_of,
)

PYPROJECT = Path(__file__).parents[3] / "pyproject.toml"


def entry(part: str) -> dict[str, str]:
    (found,) = [entry for entry in diagnose() if entry["part"] == part]
    return found


def install_fake(folder: Path, name: str, module: str = "") -> None:
    """A distribution as pip would leave it, with an importable module of that source."""
    info = folder / f"{name.replace('-', '_')}-9.9.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 9.9\n")
    if module:
        (folder / f"{name.partition('-')[0]}.py").write_text(module)


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
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_fake(tmp_path, "tensorrt-cu12")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert describe_machine()["packages"]["tensorrt"] == "9.9"


def test_install_commands_are_the_extras_of_pyproject() -> None:
    extras = tomllib.loads(PYPROJECT.read_text())["project"]["optional-dependencies"]
    for part in PARTS:
        for gpu in (False, True):
            command = install_command(part, gpu=gpu)
            if "[" in command:
                extra = command.partition("[")[2].partition("]")[0]
                assert any(r.startswith(part.distributions) for r in extras[extra]), command
            else:
                assert command == f"pip install {part.distributions[0]}"
                for name, requirements in extras.items():
                    brings = any(r.startswith(part.distributions[0]) for r in requirements)
                    assert not brings or name in ("dev", "kernel-tests")


def test_the_runtime_follows_the_hardware() -> None:
    runtime = Part("onnxruntime", ("onnxruntime", "onnxruntime-gpu"), "run")
    assert install_command(runtime, gpu=False) == "pip install 'smoothcert[cpu]'"
    assert install_command(runtime, gpu=True) == "pip install 'smoothcert[gpu]'"
    assert install_command(Part("x", ("no-such",), "y"), gpu=True) == "pip install no-such"
    cupy = Part("cupy", ("cupy-cuda13x",), "noise")
    for gpu in (False, True):
        assert install_command(cupy, gpu=gpu) == "pip install 'smoothcert[gpu]'"


def test_everything_missing_says_how_to_get_it() -> None:
    report = diagnose()
    assert {part.name for part in PARTS} <= {entry["part"] for entry in report}
    for part in report:
        if part["state"] in ("missing", "unused"):
            assert "pip install " in part["note"]


def test_onnxruntime_tells_its_providers() -> None:
    assert entry("onnxruntime")["state"] == version_of("onnxruntime", "onnxruntime-gpu")
    assert "CPU" in entry("onnxruntime")["note"].partition("providers ")[2].split(", ")


def test_two_runtimes_at_once_are_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_fake(tmp_path, "onnxruntime")
    install_fake(tmp_path, "onnxruntime-gpu")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert entry("onnxruntime")["state"] == "broken"
    assert "overwrite each other" in entry("onnxruntime")["note"]


def test_a_runtime_that_cannot_be_imported_is_broken(tmp_path: Path) -> None:
    install_fake(tmp_path, "onnxruntime", "raise OSError('libx.so: no such file\\nmore')")
    code = (
        "import json; from smoothcert.engine.base.machine import diagnose;"
        "print(json.dumps(diagnose()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )
    report = {entry["part"]: entry for entry in json.loads(done.stdout)}
    assert report["onnxruntime"]["state"] == "broken"
    assert report["onnxruntime"]["note"] == "9.9 cannot be imported: libx.so: no such file"


@pytest.mark.parametrize(
    ("script", "names"),
    [
        ("echo 'Some GPU'; echo 'Other GPU'", ["Some GPU", "Other GPU"]),
        ("echo 'driver mismatch'; exit 9", []),
        ("true", []),
    ],
)
def test_gpus_are_those_the_drivers_tool_lists(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, names: list[str]
) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\n{script}\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert gpu_names() == names
    assert entry("GPU")["state"] == (", ".join(names) or "none")
    assert entry("pycuda")["state"] == ("missing" if names else "unused")


def test_the_cache_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMOOTHCERT_CACHE", str(tmp_path))
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "a").write_bytes(bytes(1_500_000))
    assert entry("cache")["state"] == "writable"
    assert entry("cache")["note"] == f"{tmp_path}, 1.5 MB"
    (tmp_path / "file").touch()
    monkeypatch.setenv("SMOOTHCERT_CACHE", str(tmp_path / "file" / "below"))
    assert entry("cache")["state"] == "missing"
    assert "SMOOTHCERT_CACHE" in entry("cache")["note"]
