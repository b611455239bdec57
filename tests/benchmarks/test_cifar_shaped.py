"""A CIFAR network trains on grey images that were made 3x32x32."""

from pathlib import Path

import numpy as np
import pytest
from cifar_shaped import write_cifar_shaped

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.sources import open_source
from smoothcert.training.data import open_data
from smoothcert.training.settings import TrainSettings
from smoothcert.training.trainer import train


def test_images_are_centred_and_repeated(tmp_path: Path) -> None:
    grey = np.random.default_rng(0).integers(0, 256, (3, 28, 28)).astype(np.uint8)
    np.savez(tmp_path / "grey.npz", images=grey, labels=np.array([2, 0, 1]))
    write_cifar_shaped(open_source(tmp_path / "grey.npz", None, None), tmp_path / "out.npz")
    source = open_source(tmp_path / "out.npz", None, None)
    assert [source.label(i) for i in range(3)] == [2, 0, 1]
    expected = np.pad(grey[1], 2)
    np.testing.assert_array_equal(source.image(1), np.stack([expected] * 3))


def test_larger_or_colour_images_are_refused(tmp_path: Path) -> None:
    for shape in ((2, 28, 28, 3), (2, 40, 28)):
        np.savez(tmp_path / "x.npz", images=np.zeros(shape, np.uint8), labels=np.arange(2))
        with pytest.raises(InputError, match="expected grey ones"):
            write_cifar_shaped(open_source(tmp_path / "x.npz", None, None), tmp_path / "out.npz")


def test_a_cifar_network_trains_on_them(tmp_path: Path) -> None:
    labels = np.arange(48) % 2
    grey = np.zeros((48, 28, 28), dtype=np.uint8)
    grey[labels == 1] = 200
    np.savez(tmp_path / "grey.npz", images=grey, labels=labels)
    write_cifar_shaped(open_source(tmp_path / "grey.npz", None, None), tmp_path / "train.npz")
    data = open_data(str(tmp_path / "train.npz"))
    settings = TrainSettings("cifar_resnet20", 0.25, epochs=3, batch=8, crop_flip=True, lr=0.02)
    summary = train(settings, data, tmp_path / "out", device="cpu")
    assert summary.epochs[-1].train_accuracy > 75
