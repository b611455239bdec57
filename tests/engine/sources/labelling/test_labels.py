from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.sources.labelling.labels import check_label, check_labels


def test_class_indices_pass() -> None:
    check_label(0, 10, "x")
    check_label(9, 10, "x")
    check_label(10_000, None, "x")
    check_labels(np.array([0, 9], dtype=np.uint8), 10, "x")
    check_labels(np.array([0, 9]), None, "x")


@pytest.mark.parametrize("label", [-1, 10])
def test_a_label_outside_the_classes_is_named(label: int) -> None:
    with pytest.raises(InputError, match=rf"a\.npz: image 2 has label {label}: expected 0\.\.9"):
        check_labels(np.array([0, 9, label, -5]), 10, "a.npz")


def test_a_negative_label_is_refused_whatever_the_model() -> None:
    with pytest.raises(InputError, match="image 1 has label -1: expected a class index >= 0"):
        check_labels(np.array([0, -1]), None, "a.npz")


@pytest.mark.parametrize(
    "labels",
    [np.array([0.0, 1.0]), np.array([[0, 1]]), np.array(3), np.array([True]), np.array(["a"])],
)
def test_labels_are_integers_in_one_dimension(labels: npt.NDArray[Any]) -> None:
    with pytest.raises(InputError, match=r"a\.npz: labels are .*: expected integers \[N\]"):
        check_labels(labels, 10, "a.npz")


def test_no_labels_are_no_images() -> None:
    with pytest.raises(InputError, match="holds no images"):
        check_labels(np.array([], dtype=np.int64), 10, "a.npz")
