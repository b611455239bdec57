import fcntl
import math
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
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
        with pytest.raises(InputError, match="expected the checkpoint of this") as caught:
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


Change = Callable[[dict[str, Any]], object]
_DAMAGES: dict[str, Change] = {
    "run none": lambda saved: saved.update(run=None),
    "run of numbers": lambda saved: saved.update(run={7: 1, "a": 2}),
    "run of a tensor": lambda saved: saved["run"].update(sigma=torch.ones(3)),
    "run of a list": lambda saved: saved["run"].update(source=[1]),
    "log none": lambda saved: saved.update(log=None),
    "log of numbers": lambda saved: saved.update(log=[7]),
    "log of short lines": lambda saved: saved.update(log=[[0, 1.0]]),
    "log of texts": lambda saved: saved.update(log=[[0, "x", 0.1, 1.0, 1.0, 1.0, 1.0]]),
    "log of no time": lambda saved: saved["log"][0].__setitem__(1, math.nan),
    "log of ages": lambda saved: saved["log"][0].__setitem__(1, 1e308),
    "log of another epoch": lambda saved: saved["log"][0].__setitem__(0, 7),
    "state none": lambda saved: saved.update(state_dict=None),
    "state absent": lambda saved: saved.pop("state_dict"),
    "state of texts": lambda saved: saved.update(state_dict={"a": "b"}),
    "state of other shapes": lambda saved: saved["state_dict"].update(
        {name: value[None] for name, value in saved["state_dict"].items()}
    ),
    "state of doubles": lambda saved: saved["state_dict"].update(
        {name: value.double() for name, value in saved["state_dict"].items()}
    ),
    "state of sparse tensors": lambda saved: saved["state_dict"].update(
        {name: value.to_sparse() for name, value in saved["state_dict"].items() if value.ndim}
    ),
    "state of no device": lambda saved: saved["state_dict"].update(
        {name: value.to("meta") for name, value in saved["state_dict"].items()}
    ),
    "optimizer none": lambda saved: saved.update(optimizer=7),
    "optimizer absent": lambda saved: saved.pop("optimizer"),
    "optimizer of texts": lambda saved: saved["optimizer"].update(state={"a": "b"}),
    "optimizer of more weights": lambda saved: saved["optimizer"]["state"].update(
        {999: {"momentum_buffer": torch.ones(1)}}
    ),
    "optimizer of other shapes": lambda saved: saved["optimizer"]["state"][0].update(
        momentum_buffer=torch.ones(1)
    ),
    "optimizer of other entries": lambda saved: saved["optimizer"]["state"][0].update(step=7),
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with images and the training of an epoch."""
    folder = tmp_path_factory.mktemp("trained")
    pixels = np.random.default_rng(0).integers(0, 256, (20, 8, 8, 3), dtype=np.uint8)
    np.savez(folder / "images.npz", images=pixels, labels=np.arange(20) % 3)
    train(SETTINGS, open_data(str(folder / "images.npz")), folder / "out", device="cpu")
    return folder


@pytest.mark.parametrize("damage", _DAMAGES)
def test_a_damaged_checkpoint_is_refused_and_kept(
    damage: str, trained: Path, tmp_path: Path
) -> None:
    shutil.copytree(trained / "out", tmp_path / "out")
    checkpoint = tmp_path / "out" / "checkpoint.pth.tar"
    saved = torch.load(checkpoint, weights_only=True)
    _DAMAGES[damage](saved)
    torch.save(saved, checkpoint)
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    data = open_data(str(trained / "images.npz"))
    with pytest.raises(InputError, match=r"was not written by|is of another training") as caught:
        train(replace(SETTINGS, epochs=2), data, tmp_path / "out", device="cpu")
    assert "\n" not in str(caught.value)
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before


def test_momenta_that_share_memory_are_told_apart(trained: Path, tmp_path: Path) -> None:
    shutil.copytree(trained / "out", tmp_path / "out")
    checkpoint = tmp_path / "out" / "checkpoint.pth.tar"
    saved = torch.load(checkpoint, weights_only=True)
    for entries in saved["optimizer"]["state"].values():
        shape = entries["momentum_buffer"].shape
        entries["momentum_buffer"] = torch.zeros(1).expand(shape)
    torch.save(saved, checkpoint)
    data = open_data(str(trained / "images.npz"))
    assert train(replace(SETTINGS, epochs=2), data, tmp_path / "out", device="cpu").now == 1


def test_settings_of_an_optimizer_are_those_of_the_command(trained: Path, tmp_path: Path) -> None:
    """Whatever the checkpoint says of them, a training goes on to the same weights."""
    data = open_data(str(trained / "images.npz"))
    weights = []
    for number, change in enumerate(({}, {"momentum": "x", "nesterov": True, "params": [7]})):
        out = tmp_path / str(number)
        shutil.copytree(trained / "out", out)
        saved = torch.load(out / "checkpoint.pth.tar", weights_only=True)
        saved["optimizer"]["param_groups"][0].update(change)
        torch.save(saved, out / "checkpoint.pth.tar")
        train(replace(SETTINGS, epochs=2), data, out, device="cpu")
        weights.append(torch.load(out / "checkpoint.pth.tar", weights_only=True)["state_dict"])
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


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
