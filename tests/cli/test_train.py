"""`smoothcert train` as a user runs it."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from smoothcert.cli.main import main

RUN = [sys.executable, "-m", "smoothcert.cli.main"]
QUICK = ["--arch", "small_cnn", "--sigma", "0.25", "--lr", "0.05", "--device", "cpu"]

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Run]:
    """Runs a command line in `folder`, in this process (importing torch anew takes seconds);
    returns its exit status, stdout and stderr."""

    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as caught:
            main(list(arguments))
        captured = capsys.readouterr()
        assert isinstance(caught.value.code, int)
        return caught.value.code, captured.out, captured.err

    monkeypatch.chdir(folder)
    handler = signal.getsignal(signal.SIGTERM)
    yield run
    signal.signal(signal.SIGTERM, handler)


def write_images(path: Path, images: int) -> None:
    """Grey 16x16 images, dark (class 0) or bright (class 1)."""
    labels = np.arange(images) % 2
    noise = np.random.default_rng(images).integers(0, 60, (images, 16, 16))
    pixels = (noise + 150 * labels[:, None, None]).astype(np.uint8)
    np.savez(path, images=pixels, labels=labels)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_images(tmp_path / "train.npz", 64)
    write_images(tmp_path / "test.npz", 20)
    return tmp_path


def test_what_is_inferred_of_the_images_is_said(run: Run, folder: Path) -> None:
    stored = np.load(folder / "train.npz")
    np.savez(folder / "floats.npz", images=stored["images"] / 255, labels=stored["labels"])
    status, out, err = run("train", "floats.npz", "out", *QUICK, "--epochs", "1", "--batch", "16")
    assert status == 0, err
    first, last = out.splitlines()
    assert first.startswith("floats.npz: pixels are stored as k/255")
    assert "1 of 1 epochs" in last


def test_a_trained_checkpoint_certifies(run: Run, folder: Path) -> None:
    """From images to certificates with nothing but the two commands."""
    arguments = [*QUICK, "--epochs", "4", "--batch", "16", "--test", "test.npz"]
    status, out, err = run("train", "train.npz", "out", *arguments)
    assert (status, err) == (0, "")
    assert out.startswith("out/checkpoint.pth.tar: 4 of 4 epochs now")
    assert run("train", "train.npz", "out", *arguments)[1].startswith(
        "out/checkpoint.pth.tar: 0 of 4 epochs now"
    )
    status, _, err = run(
        "certify", "out/checkpoint.pth.tar", "test.npz", "log.tsv",
        "--sigma", "0.25", "--n0", "20", "--n", "100", "--batch", "100", "--seed", "0",
    )  # fmt: skip
    assert status == 0, err
    rows = [line.split("\t") for line in (folder / "log.tsv").read_text().splitlines()[1:]]
    assert sum(row[4] == "1" for row in rows) >= 18


@pytest.mark.slow
def test_a_killed_run_goes_on(run: Run, folder: Path) -> None:
    """SIGTERM after the first epoch; the same command ends with an uninterrupted run's weights."""
    arguments = [*QUICK, "--epochs", "30", "--batch", "4"]
    process = subprocess.Popen(
        [*RUN, "train", "train.npz", "cut", *arguments], cwd=folder, stderr=subprocess.PIPE
    )
    deadline = time.monotonic() + 60
    while not (folder / "cut" / "log.txt").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert stderr.decode() == "smoothcert: interrupted; the same command resumes\n"
    epochs = len((folder / "cut" / "log.txt").read_text().splitlines()) - 1
    assert 1 <= epochs < 30
    for out in ("cut", "whole"):
        assert run("train", "train.npz", out, *arguments)[0] == 0
    cut, whole = (
        torch.load(folder / out / "checkpoint.pth.tar", weights_only=True)["state_dict"]
        for out in ("cut", "whole")
    )
    assert all(torch.equal(cut[name], whole[name]) for name in whole)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["absent.npz", "out"], "absent.npz"),
        (["train.npz", "out", "--arch", "resnet99"], "'resnet99' is unknown"),
        (["train.npz", "out", "--sigma", "7"], "sigma 7.0 is out of range"),
        (["train.npz", "out", "--epochs", "0"], "epochs 0 is out of range"),
        (["train.npz", "out", "--schedule", "cosine"], "schedule 'cosine' is unknown"),
        (["train.npz", "out", "--mean", "0.5,a"], "is no list of numbers"),
        (["train.npz", "out", "--num-classes", "1"], "image 1 has label 1: expected 0..0"),
        (["train.npz", "out", "--test", "absent.npz"], "absent.npz"),
        (["train.npz", "out", "--device", "cuda:99"], "device cuda:99 needs GPU 99"),
        (["train.npz", "out", "--lr", "1e6", "--batch", "16"], "training diverged"),
        (["train.npz", "train.npz"], "train.npz cannot be made"),
        (["train.npz"], "OUTDIR"),
    ],
)
def test_mistakes_are_one_line_and_exit_2(
    run: Run, folder: Path, arguments: list[str], message: str
) -> None:
    status, out, err = run("train", *QUICK, "--epochs", "3", *arguments)
    assert (status, out) == (2, ""), err
    assert err.count("\n") == 1
    assert message in err
    assert not (folder / "out" / "checkpoint.pth.tar").exists()
