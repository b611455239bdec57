"""The GPU suite's driver: what a step finds, and how one ends that finds nothing, is kept."""

import json
import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest
from gpu_steps import STAGES, Stage, Step
from gpu_suite import Run

from smoothcert.engine.backends.device.driver import gpus

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"

# What stands in for gpu_step.py: it does what the step's name says.
STEPS = """
import json, os, pathlib, signal, sys, time
_, name, result, *rest = sys.argv[1:]
print("this is", name)
if name == "hangs":
    time.sleep(60)
if name == "dies":
    os.kill(os.getpid(), signal.SIGSEGV)
if name == "quits":
    sys.exit(3)
found = {"skipped": "no such thing"} if name == "lacks" else {"result": {"line": name}}
pathlib.Path(result).write_text(json.dumps(found))
if name == "dies late":
    os.kill(os.getpid(), signal.SIGSEGV)
"""


@pytest.fixture
def run(tmp_path: Path) -> Run:
    script = tmp_path / "steps.py"
    script.write_text(STEPS)
    (tmp_path / "folder").mkdir()
    command = (sys.executable, "-S", str(script))
    return Run(tmp_path / "out", tmp_path / "folder", command=command)


def step(name: str, **more: Any) -> Step:
    return Step(name, "", "", **more)


def test_a_crash_a_hang_or_a_limit_costs_one_step(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ("works", "dies", "quits", "lacks", "dies late")
    steps = (step("hangs", limit=1), *map(step, names), step("after", needs="quits"),
             step("then", needs="works"))  # fmt: skip
    outcomes = run.stage("checks", Stage(30, 2, steps))
    seconds = [outcome.pop("seconds") for outcome in outcomes.values()]
    assert all(each >= 0 for each in seconds)
    assert outcomes == {
        "hangs": {"failed": "stopped at its limit of 1 s: this is hangs"},
        "works": {"result": {"line": "works"}},
        "dies": {"failed": f'died of signal 11: File "{run.command[-1]}", line 8 in <module>'},
        "quits": {"failed": "exit 3: this is quits"},
        "lacks": {"skipped": "no such thing"},
        "dies late": {"result": {"line": "dies late"}, "ended": "died of signal 11"},
        "after": {"skipped": "needs the result of 'quits'"},
        "then": {"result": {"line": "then"}},
    }
    assert run.failures == 4
    lines = [json.loads(line) for line in (run.out / "checks.jsonl").read_text().splitlines()]
    assert lines[0]["step"] == "machine"
    assert {line["step"] for line in lines[1:]} == set(outcomes)
    for line in lines[1:]:
        assert len({"result", "failed", "skipped"} & set(line)) == 1
    assert "checks: dies: exit -11\nthis is dies" in (run.out / "suite.log").read_text()
    assert sum(line.startswith("checks ") for line in run.table) == len(steps)
    assert max(map(len, run.table)) <= 160
    assert capsys.readouterr().out.count("\n") == len(steps)


def test_what_does_not_fit_the_budget_is_not_begun(run: Run) -> None:
    outcomes = run.stage("checks", Stage(2, 1, (step("hangs"), step("works"))))
    assert outcomes["hangs"]["failed"].startswith("stopped at its limit of 2 s")
    assert outcomes["works"]["skipped"] == "no time was left in this stage"


def test_steps_of_one_at_a_time_do_not_overlap(run: Run, tmp_path: Path) -> None:
    script = Path(run.command[-1])
    marks = tmp_path / "marks"
    mark = f"open({str(marks)!r}, 'a').write"
    script.write_text(f"{mark}('(')\n{STEPS}\ntime.sleep(0.1)\n{mark}(')')\n")
    run.stage("networks", Stage(30, 1, tuple(map(step, "abc"))))
    assert marks.read_text() == "()()()"


def test_what_cannot_be_rehearsed_is_skipped_with_its_reason(run: Run) -> None:
    run.rehearse = True
    outcomes = run.stage("checks", Stage(30, 2, (step("works"), step("dies", cuda="so it is"))))
    assert outcomes["dies"]["skipped"] == "needs CUDA: so it is"
    assert "result" in outcomes["works"]


def test_all_stages_fit_a_quarter_of_an_hour_in_calls_of_ten_minutes() -> None:
    text = (BENCHMARKS / "gpu_suite.py").read_text()
    budgets = {name: stage.budget for name, stage in STAGES.items()}
    assert dict(re.findall(r"^(\w+) +at most +(\d+) s:", text, re.M)) == {
        name: str(budget) for name, budget in budgets.items()
    }
    assert sum(budgets.values()) <= 13 * 60
    calls = re.findall(r"`--stage ([\w ]+)`", text)
    assert sorted(" ".join(calls).split()) == sorted(STAGES)
    for call in calls:
        assert sum(budgets[name] for name in call.split()) < 9 * 60


@pytest.mark.parametrize("stage", STAGES)
def test_steps_need_what_comes_before_them(stage: str) -> None:
    names = [step.name for step in STAGES[stage].steps]
    assert len(set(names)) == len(names)
    for number, each in enumerate(STAGES[stage].steps):
        assert each.needs is None or each.needs in names[:number]


@pytest.mark.slow
def test_the_script_rehearses_a_stage_where_nothing_is_installed(tmp_path: Path) -> None:
    """As on a machine of someone else's: the packages are there, and this one is not."""
    bare = tmp_path / "python"
    bare.write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n')
    bare.chmod(0o755)
    packages = sysconfig.get_paths()["purelib"]
    done = subprocess.run(
        [str(BENCHMARKS / "gpu_suite.sh"), "--stage", "sanitizer", "--rehearse", "--out",
         str(tmp_path / "out")],
        env={**os.environ, "PYTHON": str(bare), "PYTHONPATH": packages},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [
        json.loads(line) for line in (tmp_path / "out" / "sanitizer.jsonl").read_text().splitlines()
    ]
    found = {line["step"]: line for line in lines}
    assert found["machine"]["result"]["rehearsal"]
    assert found["kernels"]["result"]["line"] == "24 kernels of noise, and votes"
    assert found["memcheck"]["skipped"].startswith("needs CUDA")
    assert len(done.stdout.splitlines()) == 2 * 3 + 1


@pytest.mark.skipif(bool(gpus()), reason="needs a machine without a GPU")
def test_without_a_gpu_it_is_one_line(tmp_path: Path) -> None:
    command = [sys.executable, str(BENCHMARKS / "gpu_suite.py"), "--stage", "all"]
    done = subprocess.run(
        [*command, "--out", str(tmp_path / "out")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("gpu_suite: the GPU suite needs an NVIDIA GPU")
    assert not (tmp_path / "out").exists()
