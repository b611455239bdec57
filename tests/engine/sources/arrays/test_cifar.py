import pickle
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.engine.sources import open_source

SPEC = InputSpec(3, 32, 32)
RNG = np.random.default_rng(0)


def planes(count: int) -> npt.NDArray[np.uint8]:
    """Images as both versions store them: all reds row by row, then greens, then blues."""
    return RNG.integers(0, 256, (count, 3, 32, 32)).astype(np.uint8)


def write_binary(file: Path, labels: list[list[int]]) -> npt.NDArray[np.uint8]:
    images = planes(len(labels))
    file.write_bytes(
        b"".join(bytes(row) + image.tobytes() for row, image in zip(labels, images, strict=True))
    )
    return images


def write_python(file: Path, key: str, labels: list[int]) -> npt.NDArray[np.uint8]:
    images = planes(len(labels))
    batch = {"data": images.reshape(-1, 3072), key: labels, "filenames": ["x"] * len(labels)}
    file.write_bytes(pickle.dumps(batch, protocol=2))
    return images


def expect(path: Path, images: npt.NDArray[np.uint8], labels: list[int], kind: str) -> None:
    classes = {"cifar10": 10, "cifar100": 100}[kind]
    source = open_source(path, SPEC, classes)
    description = source.describe()
    assert (description["kind"], description["classes"]) == (kind, classes)
    assert [source.label(i) for i in range(len(source))] == labels
    for i in range(len(source)):
        np.testing.assert_array_equal(source.image(i), images[i])


def test_a_folder_stands_for_its_test_split(tmp_path: Path) -> None:
    ten = tmp_path / "cifar-10-batches-bin"
    hundred = tmp_path / "cifar-100-binary"
    ten_py = tmp_path / "cifar-10-batches-py"
    hundred_py = tmp_path / "cifar-100-python"
    for folder in (ten, hundred, ten_py, hundred_py):
        folder.mkdir()
    write_binary(ten / "data_batch_1.bin", [[1], [2]])
    expect(ten, write_binary(ten / "test_batch.bin", [[3], [8], [0]]), [3, 8, 0], "cifar10")
    write_binary(hundred / "train.bin", [[1, 1]])
    # Coarse label first, fine label second.
    images = write_binary(hundred / "test.bin", [[10, 49], [10, 33]])
    expect(hundred, images, [49, 33], "cifar100")
    write_python(ten_py / "data_batch_1", "labels", [1])
    images = write_python(ten_py / "test_batch", "labels", [9, 5])
    expect(ten_py, images, [9, 5], "cifar10")
    images = write_python(hundred_py / "test", "fine_labels", [99, 0])
    expect(hundred_py, images, [99, 0], "cifar100")


def test_the_training_split_is_named_by_its_files(tmp_path: Path) -> None:
    write_binary(tmp_path / "test_batch.bin", [[3]])
    parts = [write_binary(tmp_path / f"data_batch_{i}.bin", [[i], [0]]) for i in range(1, 6)]
    labels = [label for i in range(1, 6) for label in (i, 0)]
    expect(tmp_path / "data_batch_{1..5}.bin", np.concatenate(parts), labels, "cifar10")
    expect(tmp_path / "data_batch_2.bin", parts[1], [2, 0], "cifar10")
    images = write_binary(tmp_path / "train.bin", [[1, 7]])
    expect(tmp_path / "train.bin", images, [7], "cifar100")


def test_real_images_of_cifar10_survive_both_versions(
    photographs: list[tuple[Path, int]], tmp_path: Path
) -> None:
    files = sorted(photographs[0][0].parent.glob("cifar10_*.png"))
    assert len(files) == 20
    labels = [int(file.stem.rsplit("_", 1)[1]) for file in files]
    pixels = []
    for file in files:
        with Image.open(file) as image:
            pixels.append(np.asarray(image.convert("RGB")))
    flat = np.stack(pixels).transpose(0, 3, 1, 2).reshape(20, 3072)
    batch = pickle.dumps({"data": flat, "labels": labels}, protocol=2)
    (tmp_path / "test_batch").write_bytes(batch)
    records = np.concatenate([np.array(labels, dtype=np.uint8)[:, None], flat], axis=1)
    (tmp_path / "data_batch_1.bin").write_bytes(records.tobytes())
    for name in ("test_batch", "data_batch_1.bin"):
        source = open_source(tmp_path / name, SPEC, 10)
        assert [source.label(i) for i in range(20)] == labels
        for i in range(20):
            np.testing.assert_array_equal(source.image(i).transpose(1, 2, 0), pixels[i])


@pytest.mark.parametrize("size", [0, 3072, 3073 * 2 - 1, 3074])
def test_a_truncated_binary_batch_is_named(tmp_path: Path, size: int) -> None:
    file = tmp_path / "test_batch.bin"
    file.write_bytes(bytes(size))
    with pytest.raises(
        InputError, match=rf"test_batch\.bin: has {size:,} bytes: .*multiple of 3,073"
    ):
        open_source(tmp_path, SPEC, 10)


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        ({"labels": [0]}, r"without 'data' \(it has labels\)"),
        ({"data": np.zeros((1, 3072), np.uint8), "fine_labels": [0]}, "without 'labels'"),
        ({"data": np.zeros((1, 3072), np.int64), "labels": [0]}, "data is not an array of bytes"),
        ({"data": [[0] * 3072], "labels": [0]}, "data is not an array of bytes"),
        ({"data": np.zeros((1, 3000), np.uint8), "labels": [0]}, r"data is \[1, 3000\]"),
        ({"data": np.zeros((2, 3072), np.uint8), "labels": [0]}, "labels are .*expected 2 integer"),
        ({"data": np.zeros((1, 3072), np.uint8), "labels": ["cat"]}, "expected 1 of them"),
        ({"data": np.zeros((2, 3072), np.uint8), "labels": [0, [1]]}, "expected 2 of them"),
        ({"data": np.zeros((0, 3072), np.uint8), "labels": []}, r"data is \[0, 3072\]"),
        ({"data": np.zeros((1, 3072), np.uint8), "labels": [10]}, r"has labels 10\.\.10"),
    ],
)
def test_python_batches_of_another_form_are_refused(
    tmp_path: Path, batch: dict[str, Any], message: str
) -> None:
    (tmp_path / "test_batch").write_bytes(pickle.dumps(batch, protocol=4))
    with pytest.raises(InputError, match=message):
        open_source(tmp_path, SPEC, 10)


def test_a_label_of_another_data_set_is_refused(tmp_path: Path) -> None:
    write_binary(tmp_path / "test_batch.bin", [[3], [10]])
    with pytest.raises(InputError, match=r"has labels 3\.\.10: expected 0\.\.9 of cifar10"):
        open_source(tmp_path, SPEC, 100)


def test_both_data_sets_at_once_are_refused(tmp_path: Path) -> None:
    write_binary(tmp_path / "test_batch.bin", [[3]])
    write_binary(tmp_path / "test.bin", [[3, 3]])
    with pytest.raises(InputError, match="CIFAR-10 and of CIFAR-100"):
        open_source(tmp_path / "test{_batch,}.bin", SPEC, 100)


def test_a_model_of_another_size_is_told(tmp_path: Path) -> None:
    write_binary(tmp_path / "test_batch.bin", [[3]])
    with pytest.raises(InputError, match=r"images are 32x32x3.*28x28x1"):
        open_source(tmp_path, InputSpec(1, 28, 28), 10)
