"""`export --denoiser` as a user runs it."""

import re
from pathlib import Path

import denoisers
import numpy as np
import pytest
import torch
from command_line import smoothcert

from smoothcert.cli.main import main
from smoothcert.engine.log.manifest import read_manifest
from smoothcert.engine.models.model import open_onnx
from smoothcert.export.architectures import architecture

GREY = "denoisers:grey_residual"
IMAGE = torch.zeros(2, 1, 28, 28)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    path = tmp_path / "cnn.pth"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        weights = architecture("small_cnn", 10, (1, 28, 28)).state_dict()
    torch.save({"state_dict": weights, "arch": "small_cnn", "dataset": "fashion-mnist"}, path)
    return path


@pytest.mark.slow
def test_export_certify_and_audit(checkpoint: Path, tmp_path: Path) -> None:
    out, log, source = tmp_path / "m.onnx", tmp_path / "m.tsv", tmp_path / "images.npz"
    pixels = np.random.default_rng(0).integers(0, 256, (2, 28, 28)).astype(np.uint8)
    np.savez(source, images=pixels, labels=np.arange(2))
    done = smoothcert("export", checkpoint, "-o", out, "--denoiser", GREY, "--sigma", 0.25)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert (
        f"{out}: denoiser {GREY} in front of cnn.pth, 10 classes, input (1, 28, 28)" in done.stdout
    )
    assert "one after the other on 256 noisy images: 0 votes differ" in done.stdout
    assert "made for sigma 0.25" in done.stdout
    assert "/tmp" not in done.stdout.replace(str(tmp_path), "")
    options = [out, source, log, "--n", 100, "--backend", "onnxruntime"]
    other = smoothcert("certify", *options, "--sigma", 0.5)
    assert (other.returncode, other.stderr.count("\n")) == (2, 1)
    assert "expected --sigma 0.25" in other.stderr
    assert not log.exists()
    done = smoothcert("certify", *options, "--sigma", 0.25)
    assert done.returncode == 0, done.stderr
    model = read_manifest(log)["run"]["model"]
    assert (model["denoiser"]["name"], model["denoiser"]["sigma"]) == (GREY, 0.25)
    assert model["classifier"]["name"] == "cnn.pth"
    assert smoothcert("audit", log, source).returncode == 0


def test_two_onnx_files(checkpoint: Path, tmp_path: Path) -> None:
    classifier, out = tmp_path / "classifier.onnx", tmp_path / "m.onnx"
    assert smoothcert("export", checkpoint, "-o", classifier).returncode == 0
    denoiser = denoisers.write_denoiser(denoisers.grey_residual(), tmp_path / "d.onnx", IMAGE)
    done = smoothcert(
        "export", classifier, "-o", out, "--denoiser", denoiser, "--sigma", 0.5,
        "--denoiser-range=-1,1", "--precision", "fp16",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "takes and returns pixels in -1..1" in done.stdout
    assert "fp16 against fp32" in done.stdout
    model = open_onnx(out)
    assert model.precision == "fp16"
    assert model.metadata["denoiser"]["name"] == "d.onnx"
    assert model.metadata["classifier"]["sha256"] == open_onnx(classifier).sha256


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--denoiser", GREY], "given no sigma.*give --sigma"),
        (["--sigma", 0.25, "--denoiser", GREY, "--diffusion", "square"], "neither a schedule"),
        (["--sigma", 9, "--denoiser", GREY], "sigma 9.0 is out of range"),
        (["--sigma", 0.25, "--denoiser", GREY, "--denoiser-range=1,0"], "1,0 is no range"),
        (["--sigma", 0.25, "--denoiser", GREY, "--num-classes", 7], "cnn.pth"),
        (["--sigma", 0.25, "--denoiser", GREY, "--logits", "y"], "--logits y is of an ONNX file"),
        (
            ["--denoiser-range", "0,1"],
            "--denoiser-range 0.0,1.0 is of.*: give --denoiser, or leave",
        ),
        (["--diffusion", "linear"], "--diffusion linear is of a denoiser"),
        (["--sigma", 0.25], "no use at fp32"),
    ],
)
def test_bad_options_end_in_one_line(
    checkpoint: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    options: list[object],
    words: str,
) -> None:
    out = tmp_path / "m.onnx"
    with pytest.raises(SystemExit) as done:
        main([str(part) for part in ("export", checkpoint, "-o", out, *options)])
    said = capfd.readouterr().err
    assert (done.value.code, said.count("\n")) == (2, 1), said
    assert re.search(words, said), said
    assert not out.exists()
