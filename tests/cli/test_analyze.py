"""analyze, merge and doctor as a user runs them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

HEADER = "idx\tlabel\tpredict\tradius\tcorrect\ttime\n"


def smoothcert(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "smoothcert.cli.main", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "log.tsv"
    path.write_text(HEADER + "0\t1\t1\t0.5\t1\t1.0\n1\t1\t-1\t0.0\t0\t1.0\n")
    return path


def test_a_table(log: Path) -> None:
    done = smoothcert("analyze", log, "--radii", "0,0.5,1", "--format", "json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["logs"][0]["certified_accuracy"] == [0.5, 0.5, 0.0]
    assert "r=0.25" in smoothcert("analyze", log).stdout


@pytest.mark.parametrize(
    "options",
    [
        ["--radii", "a"],
        ["--radii", ""],
        ["--radii", "-1"],
        ["--format", "pdf"],
        ["--alpha", "2"],
        ["--alpha", "0.1", "--rho", "0"],
        ["absent.tsv"],
    ],
)
def test_bad_usage_is_one_line(log: Path, options: list[str]) -> None:
    done = smoothcert("analyze", log, *options)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_a_closed_pipe_is_no_error(log: Path) -> None:
    command = f"{sys.executable} -m smoothcert.cli.main analyze {log} --format csv | true"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert done.stderr == ""


def test_merge_without_manifests_is_one_line(log: Path, tmp_path: Path) -> None:
    done = smoothcert("merge", tmp_path / "out.tsv", log)
    assert done.returncode == 2
    assert "manifest" in done.stderr
    assert done.stderr.count("\n") == 1


def test_doctor() -> None:
    done = smoothcert("doctor", "--json")
    assert done.returncode == 0, done.stderr
    report = {entry["part"]: entry for entry in json.loads(done.stdout)}
    assert report["onnxruntime"]["state"][0].isdigit()
    assert report["processor"]["note"].split()[1] == "cores,"
    assert "onnxruntime" in smoothcert("doctor").stdout
