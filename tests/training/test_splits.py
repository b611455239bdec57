from pathlib import Path

import numpy as np
import pytest

from smoothcert.training.data import open_data
from smoothcert.training.splits import splits


@pytest.mark.parametrize(
    ("files", "train"),
    [
        (["test_batch.bin", "data_batch_1.bin", "batches.meta.txt"], "data_batch_{1..5}.bin"),
        (["test_batch", "data_batch_1", "batches.meta"], "data_batch_{1..5}"),
        (["test.bin", "train.bin"], "train.bin"),
        (["test", "train", "meta"], "train"),
        (["t10k-images-idx3-ubyte", "train-images-idx3-ubyte"], "train-images-idx3-ubyte"),
        (["train-images-idx3-ubyte.gz", "t10k-images-idx3-ubyte.gz"], "train-images-idx3-ubyte.gz"),
    ],
)
def test_training_files_are_found_beside_the_test_files(
    tmp_path: Path, files: list[str], train: str
) -> None:
    for file in files:
        (tmp_path / file).touch()
    assert splits(str(tmp_path)) == (f"{tmp_path}/{train}", str(tmp_path))


def test_imagenets_folders_are_known(tmp_path: Path) -> None:
    for split in ("train", "val"):
        (tmp_path / split / "n01440764").mkdir(parents=True)
    assert splits(str(tmp_path)) == (f"{tmp_path}/train", f"{tmp_path}/val")


def test_anything_else_is_one_source(tmp_path: Path) -> None:
    for classes in ("cat", "dog", "train"):
        (tmp_path / "trains" / classes).mkdir(parents=True)
    (tmp_path / "x.npz").touch()
    (tmp_path / "t10k-images-idx3-ubyte").touch()
    for source in ("trains", "x.npz", "absent", "*.tar", ""):
        path = str(tmp_path / source)
        assert splits(path) == (path, None)


def test_an_archive_is_trained_on_its_training_images(tmp_path: Path) -> None:
    for name, records in (
        *((f"data_batch_{i}.bin", 3) for i in range(1, 6)),
        ("test_batch.bin", 2),
    ):
        content = np.zeros((records, 3073), dtype=np.uint8)
        content[:, 0] = np.arange(records)
        (tmp_path / name).write_bytes(content.tobytes())
    data = open_data(str(tmp_path))
    assert len(data.train) == 15
    assert data.test is not None
    assert len(data.test) == 2
