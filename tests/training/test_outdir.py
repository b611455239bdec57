import fcntl
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from smoothcert.engine.base.errors import InputError
from smoothcert.training.data import TrainingData, open_data
from smoothcert.training.outdir import TrainingFolder
from smoothcert.training.settings import TrainSettings
from smoothcert.training.trainer import train

SETTINGS = TrainSettings("small_cnn", 0.25, epochs=1, batch=16)


@pytest.fixture
def data(array_file: Callable[..., Path]) -> TrainingData:
    return open_data(str(array_file("train.npz", 20)))


def test_another_command_is_refused_with_the_difference(
    data: TrainingData, array_file: Callable[..., Path], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    train(SETTINGS, data, out, device="cpu")
    before = (out / "checkpoint.pth.tar").read_bytes()
    for settings, other, difference in (
        (replace(SETTINGS, sigma=0.5), data, r"sigma 0.25 \(trained\) against 0.5 \(asked\)"),
        (replace(SETTINGS, lr=0.2), data, r"lr 0.1 \(trained\) against 0.2"),
        (replace(SETTINGS, arch="cifar_resnet20"), data, "arch small_cnn"),
        (SETTINGS, open_data(str(array_file("more.npz", 24))), "source.digest"),
    ):
        with pytest.raises(InputError, match=difference) as caught:
            train(settings, other, out, device="cpu")
        assert "\n" not in str(caught.value)
    assert (out / "checkpoint.pth.tar").read_bytes() == before


def test_the_same_images_may_lie_elsewhere(data: TrainingData, tmp_path: Path) -> None:
    out = tmp_path / "out"
    train(SETTINGS, data, out, device="cpu")
    (tmp_path / "moved").mkdir()
    (tmp_path / "train.npz").rename(tmp_path / "moved" / "train.npz")
    moved = open_data(str(tmp_path / "moved" / "train.npz"))
    assert train(SETTINGS, moved, out, device="cpu").now == 0


def test_what_was_not_written_here_is_left_alone(data: TrainingData, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    checkpoint = foreign / "checkpoint.pth.tar"
    for content in (b"no archive", b""):
        checkpoint.write_bytes(content)
        with pytest.raises(InputError, match="cannot be read") as caught:
            train(SETTINGS, data, foreign, device="cpu")
        assert "\n" not in str(caught.value)
        assert checkpoint.read_bytes() == content
    torch.save({"epoch": 90, "arch": "resnet50", "state_dict": {}}, checkpoint)
    with pytest.raises(InputError, match="was not written by `smoothcert train`"):
        train(SETTINGS, data, foreign, device="cpu")
    checkpoint.unlink()
    (foreign / "log.txt").write_text("mine\n")
    with pytest.raises(InputError, match=r"log\.txt exists without checkpoint\.pth\.tar"):
        train(SETTINGS, data, foreign, device="cpu")
    assert (foreign / "log.txt").read_text() == "mine\n"


def test_a_folder_has_one_writer(data: TrainingData, tmp_path: Path) -> None:
    handle = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    with pytest.raises(InputError, match="is being written by another process"):
        train(SETTINGS, data, tmp_path, device="cpu")
    os.close(handle)
    train(SETTINGS, data, tmp_path, device="cpu")


def test_a_file_in_the_folders_place_is_refused(data: TrainingData, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be made"):
        TrainingFolder(tmp_path / "file", SETTINGS, data, 1)
