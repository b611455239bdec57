from pathlib import Path
from typing import Any

import numpy as np
import pytest

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.sources.arrays.array_labels import ReadLabels, class_indices

LABELS = [3, 0, 4, 1]


def read(labels: Any, num_classes: int | None = 5, classes: Path | None = None) -> ReadLabels:
    return class_indices(np.asarray(labels), 4, num_classes, classes, "x.npz")


def indices(found: ReadLabels) -> list[int]:
    assert found.labels is not None
    assert found.labels.dtype.kind in "iu"
    return [int(label) for label in found.labels]


@pytest.mark.parametrize(
    "labels",
    [
        LABELS,
        np.array(LABELS, np.uint8),
        np.array(LABELS)[:, None],
        np.array(LABELS)[None, :],
        np.array(LABELS, np.float32),
        np.array(LABELS, np.float64)[:, None],
        ["3", "0", "4", "1"],
    ],
)
def test_class_indices_in_many_forms(labels: Any) -> None:
    found = read(labels)
    assert indices(found) == LABELS
    assert (found.said, found.read_as) == ((), {})


@pytest.mark.parametrize("dtype", ["int64", "uint8", "float32", "bool"])
def test_one_hot(dtype: str) -> None:
    found = read(np.eye(5, dtype=dtype)[LABELS])
    assert indices(found) == LABELS
    assert found.read_as == {"one_hot": 5}
    assert found.said == ("labels are the places of the 1 in rows of 5",)


def test_truth_values_are_two_classes() -> None:
    assert indices(read([True, False, False, True], 2)) == [1, 0, 0, 1]


def test_names(tmp_path: Path) -> None:
    found = read(["b", "a", "c", "a"], 3)
    assert indices(found) == [1, 0, 2, 0]
    assert found.classes == 3
    assert found.read_as == {"classes": "sorted names"}
    assert indices(read(np.array([b"n02979186", b"n01440764"] * 2), 1000)) == [482, 0] * 2
    file = tmp_path / "classes.txt"
    file.write_text("a\nb\nc\n7\n")
    assert indices(read(["b", "7", "c", "a"], 4, file)) == [1, 3, 2, 0]


@pytest.mark.parametrize(
    ("labels", "num_classes", "message"),
    [
        (np.eye(5)[LABELS] * 0.9, 5, r"those of image 0 are no single 1"),
        (np.array([[1, 0], [0, 1], [1, 1], [0, 1]]), 2, "those of image 2 are no single 1"),
        (np.zeros((4, 3)), 3, "those of image 0 are no single 1"),
        (np.eye(5)[LABELS], 4, r"a 1 in each row among 5 classes: the model has 4"),
        ([0.5, 1, 2, 3], 5, "labels are float64 and not whole"),
        (["a", "b", "a", "b"], 5, r"holds 2 names of classes \(a, b\), the model has 5"),
    ],
)
def test_labels_that_are_none(labels: Any, num_classes: int, message: str) -> None:
    with pytest.raises(InputError, match=f"x.npz: .*{message}"):
        read(labels, num_classes)


@pytest.mark.parametrize("order", ["<", ">"])
def test_numbers_that_are_no_characters(order: str) -> None:
    """numpy takes them from a file, and ends in a SystemError once it makes a text of them."""
    codes = np.array([98, 0, 97, 0x10FFFF, 97, 98, 97, 0], f"{order}u4")
    assert indices(read(codes.view(f"{order}U2"), 4)) == [3, 2, 1, 0]
    codes[5] = 0x110000
    with pytest.raises(InputError, match=r"name of image 2 holds 0x110000, which is no character"):
        read(codes.view(f"{order}U2"), 4)
    assert indices(read(np.array([""] * 4), 1)) == [0] * 4


def test_indices_need_no_list_of_classes(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"--classes is for names: the labels of x\.npz are int64"):
        read(LABELS, 5, tmp_path / "classes.txt")


def test_a_table_of_as_many_labels_is_no_list() -> None:
    """Two of each of two images, say: which is meant, nothing tells."""
    found = read(np.reshape(LABELS, (2, 2)))
    assert found.labels is not None
    assert found.labels.shape == (2, 2)  # which check_labels refuses
