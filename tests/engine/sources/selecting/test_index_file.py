"""Lists of images as people keep them; anything else is refused with its line."""

import hashlib
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.sources.selecting.index_file import IndexFile


def written(folder: Path, content: bytes | str) -> Path:
    path = folder / "subset.txt"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def saved(folder: Path, array: npt.NDArray[Any]) -> Path:
    path = folder / "subset.npy"
    np.save(path, array)
    return path


@pytest.mark.parametrize(
    "text",
    [
        "0\n3\n4\n5\n9\n",
        "9 5 4\t3 0",
        "0,3-5,9",
        "# hard ones\n3-5  # three\r\n\r\n0, 9",
        "\ufeff0;3;4;5;9",
        "[0, 3, 4, 5, 9]\n",
        "[\n 0,\n 3, 4,\n 5, 9\n]",
        "00 03 4-5 9",
    ],
)
def test_texts(text: str, tmp_path: Path) -> None:
    path = written(tmp_path, text)
    found = IndexFile.read(path)
    assert list(found.runs(10)) == [0, 3, 4, 5, 9]
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    assert found.describe() == {"name": "subset.txt", "sha256": sha256}


@pytest.mark.parametrize("dtype", ["u1", "<i8", ">i4"])
@pytest.mark.parametrize("shape", [(3,), (3, 1)])
def test_arrays(dtype: str, shape: tuple[int, ...], tmp_path: Path) -> None:
    path = saved(tmp_path, np.array([7, 0, 2], dtype).reshape(shape))
    assert list(IndexFile.read(path).runs(8)) == [0, 2, 7]


def test_an_array_is_told_by_its_bytes(tmp_path: Path) -> None:
    path = saved(tmp_path, np.arange(3)).rename(tmp_path / "subset.txt")
    assert list(IndexFile.read(path).runs(8)) == [0, 1, 2]


def refused(path: Path, words: str, num_images: int = 10) -> None:
    with pytest.raises(InputError, match=words) as caught:
        IndexFile.read(path).runs(num_images)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "names no image: expected indices such as 0 or 3-7"),
        ("# none\n\n[]", "names no image"),
        ("idx\n0\n", "line 1: 'idx' is no index"),
        ("0\n-3", "line 2: '-3' is no index"),
        ("0\n1.0", r"line 2: '1\.0' is no index"),
        ("5-3", "line 1: '5-3' is no index"),
        ("[[0], [1]]", "is no index"),
        ("1_0", "is no index"),
        ("٣", "is no index"),
        ("9" * 5000, "is no index"),
        ("x" * 99, f"line 1: '{'x' * 40}' is no index"),
        ("0\n7\n3\n7", "line 4 names image 7 again, as line 2 does"),
        ("4\n3-5", "line 2 names image 4 again, as line 1 does"),
        ("1 1", "line 1 names image 1 again"),
        ("0\n10\n3", r"line 2 names image 10: expected 0\.\.9, the source has 10 images"),
        ("0\n3-9999999999", "line 2 names image 9999999999"),
        (b"\x00\x01", "is neither text nor an .npy file"),
        (b"\xff\xfe1\x00", "is neither text nor an .npy file"),
        (pickle.dumps([1, 2]), "is neither text nor an .npy file"),
    ],
)
def test_texts_that_are_none(text: bytes | str, words: str, tmp_path: Path) -> None:
    refused(written(tmp_path, text), words)


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros(10, bool), "holds booleans .*save numpy.flatnonzero of them"),
        (np.array([0.0, 1.0]), r"holds float64 \[2\]: expected integers \[n\]"),
        (np.zeros((2, 2), int), r"holds int64 \[2, 2\]"),
        (np.int64(3), r"holds int64 \[\]"),
        (np.array([2, -1]), "entry 1 is -1: expected indices of images, from 0 on"),
        (np.array([2, 1, 2]), "entry 2 names image 2 again, as entry 0 does"),
        (np.array([2, 10]), "entry 1 names image 10"),
        (np.array([2**64 - 1], "u8"), "entry 0 names image 18446744073709551615"),
        (np.array([], int), "names no image"),
        (np.array([1, None]), "holds object"),
    ],
)
def test_arrays_that_are_none(array: npt.NDArray[Any], words: str, tmp_path: Path) -> None:
    refused(saved(tmp_path, array), words)


def test_damaged_arrays(tmp_path: Path) -> None:
    path = saved(tmp_path, np.arange(9))
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    refused(path, "has 71 bytes of data, its header says")
    path.write_bytes(whole.replace(b"(9,)", b"(9" + b"0" * 20 + b",)"))
    refused(path, "bytes of data|cannot be read as .npy")
    path.write_bytes(whole[:20])
    refused(path, "cannot be read as .npy")
    path.write_bytes(whole[:6] + b"\x09\x00" + whole[8:])
    refused(path, "cannot be read as .npy")


def test_no_file(tmp_path: Path) -> None:
    refused(tmp_path / "none.txt", "does not exist")
    refused(tmp_path, "cannot be read .it is a folder")
