"""build as a user types it: one line on wrong usage, a plan that certify recognises."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import smoothcert
from terminals import shown_on_a_terminal

from smoothcert.engine.backends.device.driver import gpus
from smoothcert.engine.backends.tensorrt.plan import record_path

RUN = [sys.executable, "-m", "smoothcert.cli.main"]

pytest.importorskip("tensorrt_rtx", reason="the extra tensorrt-rtx is not installed")
needs_no_gpu = pytest.mark.skipif(bool(gpus()), reason="this machine has a GPU")


def build(*arguments: object) -> subprocess.CompletedProcess[str]:
    return smoothcert("build", *arguments, "--runtime", "tensorrt-rtx")


@pytest.fixture
def onnx(linear_model: Any) -> Path:
    weights = np.ones((4, 768), np.float32), np.zeros(4, np.float32)
    path = linear_model(*weights, (3, 16, 16))
    assert isinstance(path, Path)
    return path


def test_a_plan_is_built_and_described(onnx: Path, tmp_path: Path) -> None:
    plan = tmp_path / "model.plan"
    done = build(onnx, "-o", plan, "--batch", 8, "--target", "SM80,sm89,sm80")
    assert (done.returncode, done.stderr) == (0, "")  # no bar in a pipe
    inferred, first, second, third = done.stdout.splitlines()
    assert inferred == f"{onnx}: no preprocessing recorded: [0,1] pixels"
    assert first == f"{plan}: fp32, batch 8, 4 classes, input (3, 16, 16) float32, logits float32"
    assert re.fullmatch(r"tensorrt-rtx \S+ for sm80,sm89: .* MB in .* s; layers \d+ fp32", second)
    record = json.loads(record_path(plan).read_text())
    assert third == f"sha256 {record['sha256']}"
    assert record["targets"] == ["sm80", "sm89"]


@pytest.mark.slow
def test_a_checkpoint_is_exported_on_the_way(tmp_path: Path) -> None:
    checkpoint = Path(__file__).parents[2] / "data" / "fashion_mnist_sigma25.pth"
    done = build(checkpoint, "-o", tmp_path / "model.plan", "--batch", 16)
    assert done.returncode == 0, done.stderr
    record = json.loads(record_path(tmp_path / "model.plan").read_text())
    assert (record["model"]["arch"], record["num_classes"]) == ("small_cnn", 10)
    assert record["spec"]["input_shape"] == [1, 28, 28]


@pytest.mark.slow
@needs_no_gpu
def test_certify_opens_a_plan_without_its_onnx(onnx: Path, tmp_path: Path, array_file: Any) -> None:
    """As far as a machine without a GPU gets: the last thing missing is the GPU."""
    source = array_file("images.npz", 8, (16, 16, 3))
    build(onnx, "-o", tmp_path / "model.plan", "--batch", 8)
    onnx.unlink()
    out = tmp_path / "out.tsv"
    arguments = ["certify", tmp_path / "model.plan", source, out, "--sigma", "0.5"]
    done = smoothcert(*arguments, "--device", "cuda:0")
    assert done.returncode == 2
    assert "running a TensorRT engine needs an NVIDIA GPU and its driver" in done.stderr
    assert done.stderr.count("\n") == 1
    done = smoothcert(*arguments)
    assert done.returncode == 2
    assert "device 'cpu' does not run the TensorRT plan" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not out.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--target", "sm90"], "target 'sm90' is not one of TensorRT for RTX"),
        (["--target", "hopper"], "target 'hopper' is no compute capability: expected sm90"),
        (["--target", ""], "target '' is no compute capability"),
        (["--batch", "0"], "batch 0 is out of range"),
        (["--optimization-level", "9"], "optimization-level 9 is out of range"),
    ],
)
def test_wrong_options_are_one_line(
    onnx: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    done = build(onnx, "-o", tmp_path / "model.plan", *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert not list(tmp_path.glob("model.plan*"))


def test_a_refused_node_is_one_line(tmp_path: Path, onnx: Path) -> None:
    import onnx as onnx_package

    model = onnx_package.load(str(onnx))
    model.graph.node[0].name, model.graph.node[0].op_type = "odd one", "Unheard"
    onnx_package.save(model, str(onnx))
    done = build(onnx, "-o", tmp_path / "model.plan")
    assert done.returncode == 2
    assert "node 'odd one' (Unheard) is refused by TensorRT's parser" in done.stderr
    assert done.stderr.count("\n") == 1


def test_nothing_is_overwritten_unasked(onnx: Path, tmp_path: Path) -> None:
    plan = tmp_path / "model.plan"
    record_path(plan).write_text("mine")
    done = build(onnx, "-o", plan, "--batch", 8)
    assert (done.returncode, record_path(plan).read_text()) == (2, "mine")
    assert "exists already" in done.stderr
    assert build(onnx, "-o", plan, "--batch", 8, "--force").returncode == 0
    done = build(plan, "-o", tmp_path / "other.plan")
    assert "is a TensorRT plan: expected ONNX or a checkpoint" in done.stderr
    done = build(onnx, "-o", tmp_path / "absent" / "model.plan")
    assert "is no folder" in done.stderr


def test_a_terminal_shows_the_phases(onnx: Path, tmp_path: Path) -> None:
    command = [*RUN, "build", str(onnx), "-o", str(tmp_path / "a.plan"), "--batch", "8"]
    command += ["--runtime", "tensorrt-rtx"]
    shown = shown_on_a_terminal(command, columns=120, stdout=False)
    assert "Building engine" in shown
