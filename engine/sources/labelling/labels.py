"""Labels are class indices of the model."""

from typing import Any

import numpy as np
import numpy.typing as npt

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.wording import shown

UNLABELLED = -1
"""The label of every image of a source that is opened without labels."""


_MOST = 2**31
"""Of classes, where nothing else says how many there are."""


def check_label(label: int, num_classes: int | None, where: str) -> None:
    """Raise InputError, naming `where`, unless 0 <= label < num_classes (None: 2**31)."""
    if num_classes is None and label >= _MOST:
        raise InputError(f"{where} has label {shown(label)}: expected a class index below {_MOST}")
    if num_classes is None and label < 0:
        raise InputError(
            f"{where} has label {shown(label)}: expected a class index >= 0; where images have no "
            "labels, give --unlabelled"
        )
    if num_classes is not None and not 0 <= label < num_classes:
        hint = {
            UNLABELLED: "; where -1 stands for no label, give --unlabelled, or a labelled split",
            num_classes: "; labels that count from 1 are to be lowered by 1",
        }.get(label, "")
        raise InputError(
            f"{where} has label {shown(label)}: expected 0..{num_classes - 1}, the model has "
            f"{num_classes} classes; give images that belong to this model{hint}"
        )


def check_labels(labels: npt.NDArray[Any], num_classes: int | None, file: str) -> None:
    """Raise InputError, naming the first offender, unless `labels` are integers [N], N > 0, each
    valid for check_label."""
    if labels.ndim != 1 or labels.dtype.kind not in "ui":
        raise InputError(
            f"{file}: labels are {labels.dtype} {list(labels.shape)}: expected integers [N], one "
            "class index per image"
        )
    if not len(labels):
        raise InputError(f"{file}: holds no images: expected at least one")
    wrong = labels < 0
    wrong |= labels >= (_MOST if num_classes is None else num_classes)
    if wrong.any():
        index = int(np.argmax(wrong))
        check_label(int(labels[index]), num_classes, f"{file}: image {index}")


def is_index(text: str) -> bool:
    """Whether a label that was written down is a number, and no name."""
    digits = text.removeprefix("-")
    return digits.isascii() and digits.isdigit() and len(digits) < 10


def no_labels(images: int, file: str) -> npt.NDArray[np.int64]:
    """The labels of so many images that have none; raises InputError where there are no images."""
    if not images:
        raise InputError(f"{file}: holds no images: expected at least one")
    return np.full(images, UNLABELLED, dtype=np.int64)
