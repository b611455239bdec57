from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from smoothcert.engine.base.errors import InputError
from smoothcert.training.data import open_data

ArrayFile = Callable[..., Path]


def test_arrays_say_what_they_are(array_file: ArrayFile) -> None:
    data = open_data(str(array_file("train.npz", 12)), str(array_file("test.npz", 8)))
    assert data.spec.shape == (1, 16, 16)
    assert (data.spec.mean, data.spec.std) == ((), ())
    assert data.num_classes == 4
    assert data.dataset is None
    assert data.test is not None
    assert (len(data.train), len(data.test)) == (12, 8)


def test_a_test_split_is_not_trained_on(tmp_path: Path) -> None:
    """Where open_source would take it, as for a run."""
    images = np.random.default_rng(0).integers(0, 256, (8, 6, 6, 3)).astype(np.uint8)
    labels = np.arange(8) % 4
    np.savez(tmp_path / "keras.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
    with pytest.raises(InputError, match="holds a test split, which is not to be trained on"):
        open_data(str(tmp_path / "keras.npz"))
    np.savez(tmp_path / "train.npz", images=images, labels=labels)
    data = open_data(str(tmp_path / "train.npz"), str(tmp_path / "keras.npz"))
    assert data.test is not None
    assert len(data.test) == 8


def test_a_cifar_archive_names_its_dataset(tmp_path: Path) -> None:
    records = np.random.default_rng(0).integers(0, 256, (4, 3073)).astype(np.uint8)
    records[:, 0] = [0, 1, 2, 1]
    (tmp_path / "data_batch_1.bin").write_bytes(records.tobytes())
    data = open_data(str(tmp_path / "data_batch_1.bin"))
    assert data.dataset == "cifar10"
    assert data.num_classes == 10
    assert data.spec.mean == (0.4914, 0.4822, 0.4465)
    own = open_data(str(tmp_path / "data_batch_1.bin"), mean=(0.5,) * 3, std=(0.25,) * 3)
    assert own.spec.mean == (0.5, 0.5, 0.5)


def test_photographs_have_the_originals_size(photograph_folder: Path) -> None:
    data = open_data(str(photograph_folder), dataset="imagenet")
    assert data.spec.shape == (3, 224, 224)
    assert data.spec.resize == 256
    assert data.spec.std == (0.229, 0.224, 0.225)
    assert data.num_classes == 2
    small = open_data(str(photograph_folder), input_shape=(3, 32, 32), resize=40)
    assert (small.spec.shape, small.spec.resize) == ((3, 32, 32), 40)


def test_the_test_source_must_fit(array_file: ArrayFile) -> None:
    train = str(array_file("train.npz", 12))
    with pytest.raises(InputError, match="images are 8x8x1"):
        open_data(train, str(array_file("test.npz", 12, shape=(8, 8))))
    with pytest.raises(InputError, match=r"has label 3: expected 0\.\.2"):
        open_data(train, num_classes=3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dataset": "svhn"}, "dataset 'svhn' is unknown: expected cifar10"),
        ({"mean": (0.5,)}, "--mean is given without --std"),
        ({"std": (0.5,)}, "--std is given without --mean"),
        ({"mean": (0.5, 0.5), "std": (1.0, 1.0)}, "mean has 2 values, expected 1"),
        ({"input_shape": (1, 28, 28)}, "images are 16x16x1"),
        ({"resize": 40}, "--resize 40 needs the size of the crop"),
    ],
)
def test_what_does_not_fit_is_refused(
    array_file: ArrayFile, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        open_data(str(array_file("train.npz", 12)), **options)


def test_one_class_or_image_is_too_few(array_file: ArrayFile, tmp_path: Path) -> None:
    pixels = np.zeros((3, 4, 4), dtype=np.uint8)
    np.savez(tmp_path / "one.npz", images=pixels, labels=np.zeros(3, dtype=int))
    with pytest.raises(InputError, match="holds 1 class"):
        open_data(str(tmp_path / "one.npz"))
    with pytest.raises(InputError, match="holds 1 image"):
        open_data(str(array_file("train.npz", 1)), num_classes=4)
