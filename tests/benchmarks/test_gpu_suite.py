"""The GPU suite, executed on the CPU: its checks find nothing, and find what is wrong."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import gpu_checks
import numpy as np
import pytest
from gpu_machine import Machine, interleaved
from gpu_suite import Suite, Workload, run_checks, run_times
from host_device import HostDevice

from smoothcert.engine.backends.device.driver import gpus
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.input_spec import InputSpec

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def machine() -> Machine:
    return Machine(HostDevice("eager"), "cpu", block_seconds=0.0, blocks=1)


def test_every_step_runs(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Smaller, and on the CPU, but each line of the suite that needs no CUDA."""
    exact, votes = gpu_checks.noise_is_bit_exact, gpu_checks.votes_are_exact
    agree = gpu_checks.launches_agree
    monkeypatch.setattr(gpu_checks, "noise_is_bit_exact", lambda m, *_: exact(m, (3, 5, 3), 8))
    monkeypatch.setattr(gpu_checks, "votes_are_exact", lambda m: votes(m, 64, 37))
    monkeypatch.setattr(gpu_checks, "launches_agree", lambda m, n, s, k: agree(m, n, s, k, 6))
    monkeypatch.setattr(gpu_checks, "SIGMAS", (0.25, 4.0))
    suite = Suite(time.monotonic() + 300)
    run_checks(suite, machine, "small_cnn")
    run_times(suite, machine, (Workload("small_cnn", InputSpec(3, 16, 16), 10, 4, 4, 4),))
    assert suite.failed == suite.skipped == {}
    assert len(suite.results) == 4 + 1 + 3 + 2 + 1 + 2
    agreement = suite.results["launches agree"]
    assert agreement["changed_by_another_order"] == 0
    result = suite.results["pipeline, small_cnn, torch float32"]
    assert result["pipeline_samples_per_second"]["median"] > 0
    assert result["pipeline_over_bare"]["median"] > 0
    json.dumps(suite.results)


def test_a_wrong_kernel_is_found(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = gpu_checks._expected

    def off_by_one_bit(*arguments: Any) -> Any:
        bits = expected(*arguments)
        bits[3, 7] ^= 1
        return bits

    monkeypatch.setattr(gpu_checks, "_expected", off_by_one_bit)
    with pytest.raises(gpu_checks.CheckError, match="1 of 360 differ"):
        gpu_checks.noise_is_bit_exact(machine, (3, 5, 3), 8)


def test_what_is_missing_is_skipped_and_what_fails_is_kept() -> None:
    def missing() -> None:
        raise InputError("no TensorRT here")

    suite = Suite(time.monotonic() + 60)
    suite.step("a", missing)
    suite.step("b", lambda: 1 // 0)
    suite.step("c", lambda: 3)
    suite.deadline = 0.0
    suite.step("d", lambda: 4)
    assert suite.skipped == {"a": "no TensorRT here", "d": "no time was left"}
    assert suite.failed["b"].startswith("ZeroDivisionError")
    assert suite.results == {"c": 3}


def test_works_take_turns() -> None:
    order: list[str] = []
    machine = Machine(HostDevice("eager"), "cpu", block_seconds=0.0, blocks=3)
    works = {"a": lambda: order.append("a"), "b": lambda: order.append("b")}
    seconds = interleaved(machine, works)
    assert order[4:] == ["a", "b"] * 3
    assert [len(values) for values in seconds.values()] == [3, 3]
    assert np.all(np.array(list(seconds.values())) >= 0)


@pytest.mark.skipif(bool(gpus()), reason="needs a machine without a GPU")
def test_without_a_gpu_it_is_one_line(tmp_path: Path) -> None:
    command = [sys.executable, str(BENCHMARKS / "gpu_suite.py"), str(tmp_path / "out.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("gpu_suite: ")
