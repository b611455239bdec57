"""The command group: quick, complete, and honest about wrong usage."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from smoothcert.cli.shell.commands import COMMANDS, smoothcert

RUN = [sys.executable, "-m", "smoothcert.cli.main"]

LISTED = """
import sys
from smoothcert.cli.main import main
try:
    main(["--help"])
except SystemExit:
    pass
heavy = {"numpy", "scipy", "numba", "torch", "onnx", "onnxruntime", "rich", "mpmath"}
print(sorted(heavy & set(sys.modules)))
"""


def test_help_imports_nothing_heavy() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LISTED], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
    for name in COMMANDS:
        assert name in done.stdout


def test_help_is_quick() -> None:
    """Under 0.5 s, best of five: a bound ten times what it takes, so no timed test."""
    best = min(_seconds([*RUN, "--help"]) for _ in range(5))
    assert best < 0.5


def _seconds(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, capture_output=True, check=True)
    return time.perf_counter() - start


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_has_help(name: str) -> None:
    done = subprocess.run([*RUN, name, "--help"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("Usage: smoothcert " + name)
    command = smoothcert.commands.get(name)
    assert command is None  # it is loaded on demand, not at import


@pytest.mark.parametrize("arguments", [["nonsense"], ["certify"], ["--nonsense"], ["merge", "x"]])
def test_wrong_usage_is_one_line_and_exit_2(arguments: list[str]) -> None:
    done = subprocess.run([*RUN, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


CORE = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top in {"torch", "onnx", "onnxruntime", "pyarrow", "safetensors", "onnxscript",
                   "openvino", "ray", "matplotlib", "plotly", "cupy", "pycuda", "tensorrt"}:
            raise ModuleNotFoundError(name, name=top)
sys.meta_path.insert(0, Absent())
import smoothcert.cli.main, smoothcert.engine, smoothcert.export, smoothcert.analysis
import smoothcert.engine.noise.lattice
import smoothcert.engine.statistics.bounds, smoothcert.engine.statistics.procedures
import smoothcert.engine.run.scheduler, smoothcert.engine.log.ledger, smoothcert.engine.sources
import smoothcert.engine.run.certification, smoothcert.smooth, smoothcert.runs
from smoothcert.cli.main import main
main(["certify", sys.argv[1], "absent", "out.tsv", "--sigma", "0.5"])
"""


def test_the_core_imports_without_optional_packages(tmp_path: Path) -> None:
    """And what needs one says which extra brings it, in one line."""
    model = tmp_path / "model.onnx"
    # A model's opening: IR version 8 and a graph, of which one node's operator is told.
    model.write_bytes(b"\x08\x08\x3a\x08\x0a\x06\x22\x04Relu")
    done = subprocess.run(
        [sys.executable, "-c", CORE, model], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2, done.stderr
    assert "pip install 'smoothcert[cpu]'" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_refusal_is_one_line_whatever_a_file_is_called(tmp_path: Path) -> None:
    (tmp_path / "two\nlines").write_text("no log\n")
    done = subprocess.run(
        [*RUN, "analyze", "two\nlines"], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 2
    assert done.stderr.startswith("smoothcert: two lines begins with")
    assert done.stderr.count("\n") == 1
