"""Whole trainings on images that are learnt in a few steps."""

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from smoothcert.engine.base.errors import InputError
from smoothcert.export.checkpoint import read_checkpoint
from smoothcert.training.data import TrainingData, open_data
from smoothcert.training.epoch_log import Epoch
from smoothcert.training.settings import TrainSettings
from smoothcert.training.trainer import TrainSummary, train

FASHION = Path("/usr/share/datasets/fashion-mnist")
QUICK: dict[str, Any] = {
    "arch": "small_cnn", "sigma": 0.25, "epochs": 3, "batch": 32, "lr": 0.05, "lr_step": 2,
}  # fmt: skip


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def data(array_file: Callable[..., Path]) -> TrainingData:
    return open_data(str(array_file("train.npz", 100)), str(array_file("test.npz", 40, seed=1)))


class Killer:
    """A Watcher that ends the process, as Ctrl-C does, when an epoch is saved."""

    def __init__(self, at: int) -> None:
        self._at = at
        self.images = 0

    def begin(self, epochs: int, done: int, images: int) -> None:
        self.images = 0

    def step(self, epoch: int, images: int, loss: float, accuracy: float) -> None:
        self.images += images

    def epoch(self, epoch: Epoch) -> None:
        if epoch.epoch == self._at:
            raise KeyboardInterrupt


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return read_checkpoint(folder / "checkpoint.pth.tar").state


def assert_equal(left: dict[str, torch.Tensor], right: dict[str, torch.Tensor]) -> None:
    assert left.keys() == right.keys()
    for name, value in left.items():
        assert torch.equal(value, right[name]), name


def log_without_time(folder: Path) -> list[list[str]]:
    lines = (folder / "log.txt").read_text().splitlines()
    return [[*fields[:1], *fields[2:]] for fields in (line.split("\t") for line in lines)]


def test_it_learns_and_says_so(data: TrainingData, tmp_path: Path) -> None:
    summary = train(TrainSettings(**QUICK), data, tmp_path / "out", device="cpu")
    assert [epoch.epoch for epoch in summary.epochs] == [0, 1, 2]
    assert summary.now == 3
    last = summary.epochs[-1]
    assert last.train_loss < summary.epochs[0].train_loss
    assert last.test_accuracy > 90
    assert [epoch.lr for epoch in summary.epochs] == pytest.approx([0.05, 0.05, 0.005])
    header, *rows = (tmp_path / "out" / "log.txt").read_text().splitlines()
    assert header == "epoch\ttime\tlr\ttrain loss\ttrain acc\ttestloss\ttest acc"
    assert [row.split("\t")[0] for row in rows] == ["0", "1", "2"]


def test_the_checkpoint_is_the_originals_dict_and_says_what_export_asks(
    data: TrainingData, tmp_path: Path
) -> None:
    train(TrainSettings(**QUICK | {"epochs": 1}), data, tmp_path, device="cpu")
    saved = torch.load(tmp_path / "checkpoint.pth.tar", weights_only=True)
    assert {"epoch", "arch", "state_dict", "optimizer"} <= set(saved)
    assert (saved["epoch"], saved["arch"]) == (1, "small_cnn")
    assert all(name.startswith("1.") for name in saved["state_dict"])
    assert saved["optimizer"]["param_groups"][0]["momentum"] == 0.9
    facts = read_checkpoint(tmp_path / "checkpoint.pth.tar").facts
    assert facts["input_shape"] == [1, 16, 16]
    assert (facts["num_classes"], facts["sigma"], facts["seed"]) == (4, 0.25, 0)


@pytest.mark.parametrize(
    "options",
    [{"schedule": "one-cycle"}, {"crop_flip": True}, {"bf16": True}, {"consistency": 5.0}],
)
def test_an_interrupted_run_ends_like_an_uninterrupted_one(
    data: TrainingData, tmp_path: Path, options: dict[str, Any]
) -> None:
    settings = TrainSettings(**QUICK | options)
    train(settings, data, tmp_path / "whole", device="cpu")
    for at in (0, 1):
        with pytest.raises(KeyboardInterrupt):
            train(settings, data, tmp_path / "cut", device="cpu", watcher=Killer(at))
    summary = train(settings, data, tmp_path / "cut", device="cpu")
    assert summary.now == 1
    assert_equal(weights(tmp_path / "whole"), weights(tmp_path / "cut"))
    assert log_without_time(tmp_path / "whole") == log_without_time(tmp_path / "cut")


def test_a_step_schedule_may_be_prolonged(data: TrainingData, tmp_path: Path) -> None:
    train(TrainSettings(**QUICK), data, tmp_path / "whole", device="cpu")
    train(TrainSettings(**QUICK | {"epochs": 1}), data, tmp_path / "long", device="cpu")
    train(TrainSettings(**QUICK), data, tmp_path / "long", device="cpu")
    assert_equal(weights(tmp_path / "whole"), weights(tmp_path / "long"))
    with pytest.raises(InputError, match=r"epochs 3 \(trained\) against 2 \(asked\)"):
        train(TrainSettings(**QUICK | {"epochs": 2}), data, tmp_path / "long", device="cpu")


def test_a_finished_run_stays_and_gets_its_log_back(data: TrainingData, tmp_path: Path) -> None:
    train(TrainSettings(**QUICK), data, tmp_path, device="cpu")
    log, checkpoint = tmp_path / "log.txt", tmp_path / "checkpoint.pth.tar"
    before = log.read_bytes(), checkpoint.read_bytes()
    log.unlink()
    assert train(TrainSettings(**QUICK), data, tmp_path, device="cpu").now == 0
    assert (log.read_bytes(), checkpoint.read_bytes()) == before


def test_seeds_decide_the_weights(data: TrainingData, tmp_path: Path) -> None:
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        settings = TrainSettings(**QUICK | {"epochs": 1, "seed": seed})
        torch.manual_seed(len(name) + seed)
        train(settings, data, tmp_path / name, device="cpu")
    assert_equal(weights(tmp_path / "a"), weights(tmp_path / "b"))
    one, other = weights(tmp_path / "a"), weights(tmp_path / "c")
    assert not torch.equal(one["1.0.weight"], other["1.0.weight"])


def test_progress_counts_every_image(data: TrainingData, tmp_path: Path) -> None:
    watcher = Killer(at=-1)
    train(TrainSettings(**QUICK | {"epochs": 2}), data, tmp_path, device="cpu", watcher=watcher)
    assert watcher.images == 200


@pytest.mark.parametrize(("batch", "kept"), [(16, "nothing was saved"), (100, "epoch 0 is kept")])
def test_a_diverged_epoch_is_not_saved(
    data: TrainingData, tmp_path: Path, batch: int, kept: str
) -> None:
    """Nor where the loss of its only step, before the weights moved, was finite."""
    settings = TrainSettings(**QUICK | {"lr": 1e6, "weight_decay": 1e6, "batch": batch})
    with pytest.raises(InputError, match=rf"training diverged: .* at lr 1e\+06; {kept}") as caught:
        train(settings, data, tmp_path, device="cpu")
    assert "\n" not in str(caught.value)
    saved = tmp_path / "checkpoint.pth.tar"
    assert saved.exists() == (batch == 100)
    if saved.exists():
        assert torch.load(saved, weights_only=True)["epoch"] == 1


def test_without_a_test_source_its_columns_are_nan(
    array_file: Callable[..., Path], tmp_path: Path
) -> None:
    data = open_data(str(array_file("train.npz", 40)))
    summary = train(TrainSettings(**QUICK | {"epochs": 1}), data, tmp_path, device="cpu")
    assert math.isnan(summary.epochs[0].test_accuracy)


def test_photographs_are_trained_on(photograph_folder: Path, tmp_path: Path) -> None:
    """Twelve photographs, by workers or without: the same weights."""
    data = open_data(
        str(photograph_folder), str(photograph_folder), input_shape=(3, 32, 32), resize=40
    )
    settings = TrainSettings("cifar_resnet20", 0.1, epochs=1, batch=6, crop_flip=True)
    for workers in (0, 2):
        train(settings, data, tmp_path / str(workers), device="cpu", workers=workers)
    assert_equal(weights(tmp_path / "0"), weights(tmp_path / "2"))
    saved = torch.load(tmp_path / "0" / "checkpoint.pth.tar", weights_only=True)
    assert (saved["resize"], saved["interpolation"]) == (40, "bilinear")


@pytest.mark.skipif(not FASHION.is_dir(), reason="Debian's dataset-fashion-mnist is not installed")
def test_fashion_mnist_is_learnt_under_noise(tmp_path: Path) -> None:
    """6,000 images in three epochs; the whole set in six reaches 87 % (benchmarks/results)."""
    data = open_data(str(FASHION / "train-images-idx3-ubyte.gz"), str(FASHION))
    few = np.stack([data.train.image(i)[0] for i in range(6000)])
    labels = np.array([data.train.label(i) for i in range(6000)])
    np.savez(tmp_path / "few.npz", images=few, labels=labels)
    data = open_data(str(tmp_path / "few.npz"), str(FASHION))
    settings = TrainSettings("small_cnn", 0.25, epochs=3, batch=64, lr=0.05, schedule="one-cycle")
    summary: TrainSummary = train(settings, data, tmp_path / "out", device="cpu")
    assert summary.epochs[-1].test_accuracy > 75
