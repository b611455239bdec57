import gzip
import hashlib
import struct
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.engine.sources.arrays.idx import is_images_file, open_idx

SPEC = InputSpec(1, 6, 5)
RNG = np.random.default_rng(0)


def idx(array: npt.NDArray[np.uint8]) -> bytes:
    """The idx form of bytes, from its description: two zeros, type 8, dimensions, sizes, data."""
    head = bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape)
    return head + array.tobytes()


def write_pair(folder: Path, prefix: str, count: int, suffix: str = "") -> npt.NDArray[np.uint8]:
    images = RNG.integers(0, 256, (count, 6, 5)).astype(np.uint8)
    labels = (np.arange(count) % 10).astype(np.uint8)
    for name, array in (("images-idx3", images), ("labels-idx1", labels)):
        data = idx(array)
        file = folder / f"{prefix}-{name}-ubyte{suffix}"
        file.write_bytes(gzip.compress(data) if suffix else data)
    return images


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_a_folder_stands_for_its_test_pair(tmp_path: Path, suffix: str) -> None:
    write_pair(tmp_path, "train", 30, suffix)
    images = write_pair(tmp_path, "t10k", 20, suffix)
    source = open_idx(tmp_path, "mnist", SPEC, 10)
    assert len(source) == 20
    assert [source.label(i) for i in range(20)] == [i % 10 for i in range(20)]
    np.testing.assert_array_equal(source.image(3)[0], images[3])
    files = [tmp_path / f"t10k-{n}-ubyte{suffix}" for n in ("images-idx3", "labels-idx1")]
    content = b"".join(file.read_bytes() for file in files)
    assert source.describe() == {
        "kind": "idx",
        "name": "mnist",
        "images": 20,
        "classes": None,
        "digest": hashlib.sha256(content).hexdigest(),
    }


def test_the_training_pair_is_named_by_its_images(tmp_path: Path) -> None:
    images = write_pair(tmp_path, "train", 30)
    write_pair(tmp_path, "t10k", 20)
    source = open_idx(tmp_path / "train-images-idx3-ubyte", "x", SPEC, 10)
    assert len(source) == 30
    np.testing.assert_array_equal(source.image(29)[0], images[29])


def test_the_only_pair_is_taken(tmp_path: Path) -> None:
    write_pair(tmp_path, "train", 30)
    assert len(open_idx(tmp_path, "x", SPEC, 10)) == 30


def test_several_pairs_without_a_test_pair_are_ambiguous(tmp_path: Path) -> None:
    write_pair(tmp_path, "emnist-letters-train", 3)
    write_pair(tmp_path, "emnist-letters-test", 3)
    with pytest.raises(InputError, match="name the images file itself"):
        open_idx(tmp_path, "x", SPEC, 10)


def test_names_with_a_dot_and_mixed_compression(tmp_path: Path) -> None:
    write_pair(tmp_path, "t10k", 4, ".gz")
    (tmp_path / "t10k-images-idx3-ubyte.gz").rename(tmp_path / "t10k-images.idx3-ubyte.gz")
    labels = (tmp_path / "t10k-labels-idx1-ubyte.gz").read_bytes()
    (tmp_path / "t10k-labels.idx1-ubyte").write_bytes(gzip.decompress(labels))
    assert is_images_file("t10k-images.idx3-ubyte.gz")
    assert not is_images_file("t10k-labels-idx1-ubyte")
    assert len(open_idx(tmp_path, "x", SPEC, 10)) == 4


def test_compression_is_told_by_content(tmp_path: Path) -> None:
    write_pair(tmp_path, "t10k", 4)
    file = tmp_path / "t10k-images-idx3-ubyte"
    file.write_bytes(gzip.compress(file.read_bytes()))
    assert len(open_idx(tmp_path, "x", SPEC, 10)) == 4


def whole() -> bytes:
    return idx(np.zeros((4, 6, 5), dtype=np.uint8))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "starts with the bytes ''"),
        (b"\0\0\x08", "starts with the bytes '00 00 08'"),
        (idx(np.zeros(4, dtype=np.uint8)), "'00 00 08 01': expected an idx file .* 3 dimensions"),
        (b"\0\0\x0d\x03" + whole()[4:], "'00 00 0d 03'"),
        (b"\x08" + whole()[1:], "starts with the bytes"),
        (whole()[:10], "starts with the bytes"),
        (whole()[:-1], r"has 119 bytes of data, its header says \[4, 6, 5\], 120 bytes"),
        (whole() + b"\0", "has more than 120 bytes"),
        (b"\0\0\x08\x03" + b"\xff" * 12, "has 0 bytes of data"),
        (b"\0\0\x08\x03" + bytes(4) + b"\xff" * 8, "its header says .*, which is nothing"),
        (gzip.compress(whole(), mtime=0)[:-12], "cannot be read"),
        (gzip.compress(whole(), mtime=0)[:20] + bytes(20), "cannot be read"),
        (b"\x1f\x8bnonsense", "cannot be read"),
    ],
)
def test_damaged_images_are_named(tmp_path: Path, content: bytes, message: str) -> None:
    write_pair(tmp_path, "t10k", 4)
    (tmp_path / "t10k-images-idx3-ubyte").write_bytes(content)
    with pytest.raises(InputError, match=f"t10k-images-idx3-ubyte: .*{message}"):
        open_idx(tmp_path, "x", SPEC, 10)


def test_missing_labels_are_named(tmp_path: Path) -> None:
    write_pair(tmp_path, "t10k", 4)
    (tmp_path / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(InputError, match="no labels beside it: expected t10k-labels-idx1-ubyte"):
        open_idx(tmp_path, "x", SPEC, 10)


def test_labels_of_another_set_are_refused(tmp_path: Path) -> None:
    write_pair(tmp_path, "t10k", 4)
    labels = tmp_path / "t10k-labels-idx1-ubyte"
    labels.write_bytes(idx(np.zeros(5, dtype=np.uint8)))
    with pytest.raises(InputError, match="4 images but 5 labels"):
        open_idx(tmp_path, "x", SPEC, 10)
    labels.write_bytes(idx(np.array([0, 1, 2, 47], dtype=np.uint8)))
    with pytest.raises(InputError, match="image 3 has label 47"):
        open_idx(tmp_path, "x", SPEC, 10)
