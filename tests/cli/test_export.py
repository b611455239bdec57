"""`export` as a user runs it."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from command_line import smoothcert

from smoothcert.engine.models.model import open_onnx
from smoothcert.export.architectures import architecture


def export(*arguments: object) -> subprocess.CompletedProcess[str]:
    return smoothcert("export", *arguments)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    path = tmp_path / "cnn.pth"
    torch.save(architecture("small_cnn", 10, (1, 28, 28)).state_dict(), path)
    return path


def test_export(checkpoint: Path, tmp_path: Path) -> None:
    out = tmp_path / "m.onnx"
    options = ["--arch", "small_cnn", "--dataset", "fashion-mnist"]
    done = export(checkpoint, "-o", out, *options)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "parity on 256 noisy images: 0 votes differ" in done.stdout
    assert "checkpoint sha256" in done.stdout
    before = out.read_bytes()
    again = export(checkpoint, "-o", out, *options)
    assert again.returncode == 2
    assert "--force" in again.stderr
    assert out.read_bytes() == before
    assert export(checkpoint, "-o", out, *options, "--force").returncode == 0


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--arch", "small_cnn"],
        ["--arch", "small_cnn", "--input-shape", "1,28"],
        ["--arch", "small_cnn", "--input-shape", "a,b,c"],
        ["--arch", "small_cnn", "--dataset", "mnist", "--mean", "x"],
        ["--arch", "small_cnn", "--dataset", "mnist", "--std", "0"],
        ["--arch", "small_cnn", "--dataset", "mnist", "--resize", "5"],
        ["--arch", "small_cnn", "--dataset", "mnist", "--num-classes", "0"],
        ["--arch", "nonsense", "--dataset", "mnist"],
        ["--arch", "small_cnn", "--dataset", "mnist", "--weights", "ema"],
        ["--arch", "small_cnn", "--dataset", "mnist", "--ignore", "loss."],
        ["--arch", "small_cnn", "--dataset", "mnist", "--layout", "nhwc"],
        ["--arch", "small_cnn", "--dataset", "mnist", "--threshold", "0"],
        ["--arch", "small_cnn", "--dataset", "mnist", "--input-range", "1,1"],
        ["--arch", "hf:absent"],
        ["--arch", "small_cnn", "--dataset", "mnist", "--precision", "fp3"],
        ["--arch", "small_cnn", "--dataset", "mnist", "--precision", "int8"],
        ["--arch", "small_cnn", "--dataset", "mnist", "--sigma", "0.5"],
    ],
)
def test_bad_options_end_in_one_line(checkpoint: Path, tmp_path: Path, options: list[str]) -> None:
    out = tmp_path / "m.onnx"
    done = export(checkpoint, "-o", out, *options)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert not out.exists()


def test_missing_files_end_in_one_line(checkpoint: Path, tmp_path: Path) -> None:
    for arguments in (
        [tmp_path / "absent.pth", "-o", tmp_path / "m.onnx"],
        [checkpoint, "-o", tmp_path / "absent" / "m.onnx", "--arch", "small_cnn"],
    ):
        done = export(*arguments)
        assert done.returncode == 2
        assert done.stderr.count("\n") == 1


def test_an_onnx_file_is_told_from_its_bytes(model: Path, tmp_path: Path) -> None:
    """`model` is a linear classifier of another's, without metadata of ours."""
    given = tmp_path / "model.pth"
    given.write_bytes(model.read_bytes())
    out = tmp_path / "m.onnx"
    done = export(given, "-o", out, "--input-range", "-1,1")
    assert done.returncode == 0, done.stderr
    assert open_onnx(out).spec.mean == (0.5,) * 3
    for option, value in (("--arch", "small_cnn"), ("--weights", "x"), ("--ignore", "y.")):
        refused = export(given, "-o", tmp_path / "n.onnx", option, value)
        assert refused.returncode == 2
        assert refused.stderr.count("\n") == 1
        assert f"{option} {value} is of a checkpoint" in refused.stderr


def test_nothing_to_export(tmp_path: Path) -> None:
    for arguments in ([], ["--arch", "small_cnn"]):
        done = export("-o", tmp_path / "m.onnx", *arguments)
        assert done.returncode == 2
        assert "pkg.module:factory" in done.stderr
        assert done.stderr.count("\n") == 1


def test_dead_weights_are_warned_of(tmp_path: Path) -> None:
    state = architecture("small_cnn", 10, (1, 28, 28)).state_dict()
    path, out = tmp_path / "dead.pth", tmp_path / "m.onnx"
    torch.save({"net": {name: value * 0 for name, value in state.items()}}, path)
    done = export(path, "-o", out, "--arch", "small_cnn", "--dataset", "mnist")
    assert done.returncode == 0
    assert "weights from net\n" in done.stdout
    assert done.stderr.startswith("warning: its logits are the same")
    assert done.stderr.count("\n") == 1


def test_options_that_few_need_stand_under_headings() -> None:
    text = export("--help").stdout
    plain, _, others = text.partition("Of a checkpoint that others wrote:")
    assert "--arch" in plain
    assert "--weights" in others
    assert others.index("--ignore") < others.index("Of a model that others wrote:")
    assert others.index("--layout") > others.index("Of a model that others wrote:")


def test_a_reduced_precision_tells_how_its_votes_differ(checkpoint: Path, tmp_path: Path) -> None:
    source = tmp_path / "keras.npz"
    with np.load(Path(__file__).parents[2] / "data" / "fashion_mnist_500.npz") as images:
        np.savez(source, x_test=images["images"], y_test=images["labels"])
    out = tmp_path / "m.onnx"
    options = ["--arch", "small_cnn", "--dataset", "fashion-mnist", "--precision", "int8"]
    options += ["--calibrate", str(source), "--sigma", "0.25", "--images", "8", "--max-zeta", "0.5"]
    done = export(checkpoint, "-o", out, *options)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "keras.npz: images from x_test, labels from y_test\n" in done.stdout
    assert "int8 against fp32 on 256 noisy images" in done.stdout
    assert "with confidence 0.999" in done.stdout
