"""The labels of an array of images, in the forms that other programs keep them."""

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.sources.labelling.classes import classes_of
from smoothcert.engine.sources.labelling.labels import is_index


@dataclass(frozen=True)
class ReadLabels:
    """Labels as they came, or as class indices [N], or None; and what that took."""

    labels: npt.NDArray[Any] | None
    classes: int | None = None
    said: tuple[str, ...] = ()
    read_as: dict[str, Any] = field(default_factory=dict)


def class_indices(
    labels: npt.NDArray[Any], images: int, num_classes: int | None, classes: Path | None, file: str
) -> ReadLabels:
    """Labels of so many images as class indices: sides of 1 are dropped ([N, 1]), rows with a
    single 1 become its place, whole floats and truth values become integers, and names what
    classes_of says.

    Raises InputError for several labels an image, and for probabilities. Anything else that is no
    list of integers is returned as it is, for check_labels to refuse.
    """
    if labels.ndim != 1 and labels.size == images == max(labels.shape, default=1):
        labels = labels.reshape(images)
    if labels.ndim == 2 and len(labels) == images and labels.dtype.kind in "biuf":
        return _one_hot(labels, num_classes, file)
    if labels.ndim == 1 and labels.dtype.kind in "US":
        return _of_names(labels, num_classes, classes, file)
    if classes is not None:
        raise InputError(
            f"--classes is for names: the labels of {file} are {labels.dtype}, class indices "
            "already; leave it out"
        )
    if labels.dtype.kind == "f" and labels.size and np.isfinite(labels).all():
        if (labels != np.rint(labels)).any() or np.abs(labels).max() >= 2**31:
            raise InputError(
                f"{file}: labels are {labels.dtype} and not whole: expected class indices, 0, 1, 2 "
                "..."
            )
        return ReadLabels(labels.astype(np.int64))
    return ReadLabels(labels.astype(np.int64) if labels.dtype.kind == "b" else labels)


def _one_hot(labels: npt.NDArray[Any], num_classes: int | None, file: str) -> ReadLabels:
    columns = labels.shape[1]
    single = ((labels == 1).sum(axis=1) == 1) & ((labels != 0).sum(axis=1) == 1)
    if not single.all():
        index = int(np.argmin(single))
        raise InputError(
            f"{file}: labels are {list(labels.shape)}, and those of image {index} are no single 1 "
            "among zeros: expected one class for each image; save class indices [N]"
        )
    if num_classes is not None and columns != num_classes:
        raise InputError(
            f"{file}: labels are {list(labels.shape)}, a 1 in each row among {columns} classes: "
            f"the model has {num_classes}; give images that belong to this model"
        )
    said = f"labels are the places of the 1 in rows of {columns}"
    return ReadLabels(np.argmax(labels, axis=1), None, (said,), {"one_hot": columns})


def _of_names(
    labels: npt.NDArray[Any], num_classes: int | None, classes: Path | None, file: str
) -> ReadLabels:
    texts = _texts(labels, file)
    if classes is None and texts and all(map(is_index, texts)):
        return ReadLabels(np.array(list(map(int, texts)), dtype=np.int64))
    named = classes_of(set(texts), num_classes, classes, file, "names of classes")
    said = named.said or (f"classes by the {named.classes} sorted names",)
    indices = np.array([named.index[text] for text in texts], dtype=np.int64)
    read_as = dict(named.read_as) or {"classes": "sorted names"}
    return ReadLabels(indices, named.classes, said, read_as)


def _texts(labels: npt.NDArray[Any], file: str) -> list[str]:
    """Names as Python's texts. Raises InputError for numbers that are no characters, which numpy
    takes from a file as they are."""
    if labels.dtype.kind == "S":
        return [bytes(name).decode("utf-8", "backslashreplace") for name in labels]
    codes = np.dtype(np.uint32).newbyteorder(labels.dtype.byteorder)
    if labels.size and labels.dtype.itemsize:
        largest = np.ascontiguousarray(labels).view(codes).reshape(len(labels), -1).max(axis=1)
        if largest.max() > sys.maxunicode:
            index = int(np.argmax(largest > sys.maxunicode))
            raise InputError(
                f"{file}: the name of image {index} holds {int(largest[index]):#x}, which is no "
                "character: expected text in Unicode; save the array again"
            )
    return [str(name) for name in labels]
