"""doctor as a user sees it: in a pipe, on a terminal, as JSON."""

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from host_gpu import no_tensorrt, stub_tensorrt
from terminals import on_a_terminal

from smoothcert.cli import doctor
from smoothcert.cli.doctor import command, diagnose, install_command
from smoothcert.engine.backends import gpu as gpu_backends
from smoothcert.engine.backends.device.driver import Gpu, gpus
from smoothcert.engine.base.machine import PARTS, Part, version_of

FakeDistribution = Callable[..., Path]
PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"


def entry(part: str) -> dict[str, str]:
    (found,) = [entry for entry in diagnose() if entry["part"] == part]
    return found


def test_json_is_the_report() -> None:
    assert json.loads(CliRunner().invoke(command, ["--json"]).output) == diagnose()


def test_a_pipe_gets_aligned_columns() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "smoothcert.cli.main", "doctor"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    report = diagnose()
    lines = done.stdout.splitlines()
    assert len(lines) == len(report)
    assert len({line.index(e["note"]) for line, e in zip(lines, report, strict=True)}) == 1


def test_a_terminal_shows_every_word() -> None:
    shown = on_a_terminal("from smoothcert.cli.doctor import command; command([])")
    assert "\x1b[" in shown  # it was taken for a terminal
    text = re.sub(r"\x1b\[[0-9;]*m", "", shown)
    for entry in diagnose():
        # Among them the brackets of 'smoothcert[gpu]', which rich would take for a style.
        assert entry["note"] in text or entry["part"] == "cache"


def test_install_commands_are_the_extras_of_pyproject() -> None:
    extras = tomllib.loads(PYPROJECT.read_text())["project"]["optional-dependencies"]
    for part in PARTS:
        for gpu in (False, True):
            command = install_command(part, gpu=gpu)
            if "[" in command:
                extra = command.partition("[")[2].partition("]")[0]
                names = tuple(name.replace("_", "-") for name in part.distributions)
                assert any(r.startswith(names) for r in extras[extra]), command
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


def test_an_old_driver_gets_the_builds_for_cuda_12(monkeypatch: pytest.MonkeyPatch) -> None:
    cupy = Part("cupy", ("cupy-cuda13x", "cupy-cuda12x"), "noise")
    for version, extra in (((12, 8), "gpu-cuda12"), ((13, 0), "gpu"), (None, "gpu")):
        monkeypatch.setattr(doctor, "driver_version", lambda version=version: version)
        assert install_command(cupy, gpu=True) == f"pip install 'smoothcert[{extra}]'"


def test_names_are_compared_as_indexes_do() -> None:
    metrics = Part("prometheus_client", ("prometheus_client",), "metrics")
    assert install_command(metrics, gpu=False) == "pip install 'smoothcert[metrics]'"


def test_everything_missing_says_how_to_get_it() -> None:
    report = diagnose()
    assert {part.name for part in PARTS} <= {entry["part"] for entry in report}
    for part in report:
        if part["state"] in ("missing", "unused"):
            assert "pip install " in part["note"]


def test_onnxruntime_tells_its_providers() -> None:
    assert entry("onnxruntime")["state"] == version_of("onnxruntime", "onnxruntime-gpu")
    assert "CPU" in entry("onnxruntime")["note"].partition("providers ")[2].split(", ")


def test_two_runtimes_at_once_are_broken(
    fake_distribution: FakeDistribution, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_distribution("onnxruntime")
    monkeypatch.syspath_prepend(str(fake_distribution("onnxruntime-gpu")))
    assert entry("onnxruntime")["state"] == "broken"
    assert "overwrite each other" in entry("onnxruntime")["note"]


def test_a_runtime_that_cannot_be_imported_is_broken(fake_distribution: FakeDistribution) -> None:
    folder = fake_distribution("onnxruntime", "raise OSError('libx.so: no such file\\nmore')")
    code = "import json; from smoothcert.cli.doctor import diagnose;print(json.dumps(diagnose()))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(folder)},
    )
    report = {entry["part"]: entry for entry in json.loads(done.stdout)}
    assert report["onnxruntime"]["state"] == "broken"
    assert report["onnxruntime"]["note"] == "9.9 cannot be imported: libx.so: no such file"


@pytest.mark.parametrize("names", [["Some GPU", "Other GPU"], []])
def test_gpus_are_those_that_a_run_would_find(
    monkeypatch: pytest.MonkeyPatch, names: list[str]
) -> None:
    """The driver's answer itself is read in tests/engine/backends/device/test_driver.py."""
    found = [Gpu(number, name, "sm90") for number, name in enumerate(names)]
    monkeypatch.setattr(doctor, "gpus", lambda: found)
    assert entry("GPU")["state"] == (", ".join(names) or "none")
    assert entry("pycuda")["state"] == ("missing" if names else "unused")


def test_each_gpu_says_what_auto_would_take(monkeypatch: pytest.MonkeyPatch) -> None:
    """And why not what is tried before it."""
    present = [Gpu(0, "NVIDIA H200", "sm90"), Gpu(1, "NVIDIA L4", "sm89")]
    monkeypatch.setattr(doctor, "gpus", lambda: present)
    monkeypatch.setattr(gpu_backends, "torch_device", lambda index: f"cuda:{index}")
    stub_tensorrt(monkeypatch, __version__="8.6.1")
    report = {entry["part"]: entry for entry in diagnose()}
    for name in ("cuda:0 auto", "cuda:1 auto"):
        assert report[name]["state"] == "torch"
        assert "fp16 where the model bears it" in report[name]["note"]
        assert "would be tried first: tensorrt (tensorrt 8.6.1 is too old" in report[name]["note"]
    assert "NVIDIA L4" in report["cuda:1 auto"]["note"]


@pytest.mark.skipif(bool(gpus()), reason="needs a machine without a GPU")
def test_a_gpu_that_nothing_runs_on_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "gpus", lambda: [Gpu(0, "NVIDIA H200", "sm90")])
    no_tensorrt(monkeypatch)
    report = {entry["part"]: entry for entry in diagnose()}
    assert report["cuda:0 auto"]["state"] == "missing"
    for reason in ("TensorRT is not installed", "has no CUDA that works", "has no CUDA provider"):
        assert reason in report["cuda:0 auto"]["note"]


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


def test_a_cpu_quota_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "usable_cores", lambda: 2)
    monkeypatch.setattr(doctor, "runnable_cores", lambda: 64)
    assert entry("processor")["note"].startswith("2 cores (of 64: ")
    monkeypatch.setattr(doctor, "runnable_cores", lambda: 2)
    assert entry("processor")["note"].startswith("2 cores, ")
