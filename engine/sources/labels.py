"""Labels are class indices of the model."""

from typing import Any

import numpy as np
import numpy.typing as npt

from smoothcert.engine.base.errors import InputError


def check_label(label: int, num_classes: int | None, where: str) -> None:
    """Raise InputError, naming `where`, unless 0 <= label < num_classes (None: no upper limit)."""
    if num_classes is None and label < 0:
        raise InputError(
            f"{where} has label {label}: expected a class index >= 0; unlabelled images cannot be "
            "certified"
        )
    if num_classes is not None and not 0 <= label < num_classes:
        raise InputError(
            f"{where} has label {label}: expected 0..{num_classes - 1}, the model has "
            f"{num_classes} classes; give images that belong to this model"
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
    if num_classes is not None:
        wrong |= labels >= num_classes
    if wrong.any():
        index = int(np.argmax(wrong))
        check_label(int(labels[index]), num_classes, f"{file}: image {index}")
