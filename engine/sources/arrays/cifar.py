"""The CIFAR-10 and CIFAR-100 archives, unpacked, binary or python version."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.engine.base.regular import read_regular
from smoothcert.engine.base.wording import printable
from smoothcert.engine.sources.arrays import cifar_pickle
from smoothcert.engine.sources.arrays.array_source import ArraySource
from smoothcert.engine.sources.given_files import some_of

_PIXELS = 3 * 32 * 32


@dataclass(frozen=True)
class _Dataset:
    """How one of the two data sets is stored."""

    name: str
    classes: int
    label_bytes: int  # before the pixels of a binary record; the last of them is the class
    label_key: str  # of the python version
    test_stem: str
    batch: re.Pattern[str]


# CIFAR-100's 20 coarse classes are not offered: models are trained on its 100 fine ones.
_DATASETS = (
    _Dataset(
        "cifar10", 10, 1, "labels", "test_batch", re.compile(r"(test_batch|data_batch_\d)(\.bin)?")
    ),
    _Dataset("cifar100", 100, 2, "fine_labels", "test", re.compile(r"(test|train)(\.bin)?")),
)


def test_file_in(names: Sequence[str]) -> str | None:
    """The test batch among the `names` of a folder's files, binary before python; None: no CIFAR
    archive."""
    for dataset in _DATASETS:
        for name in (f"{dataset.test_stem}.bin", dataset.test_stem):
            if name in names:
                return name
    return None


def is_batch_file(name: str) -> bool:
    """Whether a file of this name is a batch of a CIFAR archive."""
    return any(dataset.batch.fullmatch(name) for dataset in _DATASETS)


def open_cifar(
    files: Sequence[Path],
    name: str,
    spec: InputSpec | None,
    num_classes: int | None,
    unlabelled: bool = False,
) -> ArraySource:
    """The source of one or several batch files of one archive, in the order given; `unlabelled`
    leaves their labels aside.

    A folder stands for its test split (`test_batch`, of CIFAR-100 `test`); the training split is
    reached by its files: `data_batch_{1..5}.bin`, of CIFAR-100 `train.bin`, without `.bin` in the
    python version. Raises InputError.
    """
    datasets = {dataset for dataset in _DATASETS for f in files if dataset.batch.fullmatch(f.name)}
    if len(datasets) > 1:
        raise InputError(
            f"{name}: names batches of CIFAR-10 and of CIFAR-100: expected one of them"
        )
    dataset = datasets.pop()
    batches = [_read(file, dataset) for file in files]
    images = np.concatenate([images for images, _ in batches])
    labels = np.concatenate([labels for _, labels in batches])
    planes = images.reshape(-1, 3, 32, 32)
    return ArraySource(
        dataset.name,
        name,
        files,
        planes.transpose(0, 2, 3, 1),
        None if unlabelled else labels,
        spec,
        num_classes,
        dataset.classes,
    )


def _read(file: Path, dataset: _Dataset) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Pixels uint8 [N, 3072] and labels int64 [N] of a batch file."""
    read = _read_binary if file.suffix == ".bin" else _read_python
    images, labels = read(file, dataset)
    if len(labels) and not 0 <= labels.min() <= labels.max() < dataset.classes:
        raise InputError(
            f"{printable(file)}: has labels {labels.min()}..{labels.max()}: expected "
            f"0..{dataset.classes - 1} "
            f"of {dataset.name}; the file is damaged or of another data set, fetch it again"
        )
    return images, labels


def _read_binary(
    file: Path, dataset: _Dataset
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    record = dataset.label_bytes + _PIXELS
    content = np.frombuffer(read_regular(file, "a batch of a CIFAR archive"), dtype=np.uint8)
    if content.size == 0 or content.size % record:
        raise InputError(
            f"{printable(file)}: has {content.size:,} bytes: expected a multiple of {record:,}, "
            "the record of "
            f"{dataset.name}'s binary version; fetch it again"
        )
    records = content.reshape(-1, record)
    labels = records[:, dataset.label_bytes - 1].astype(np.int64)
    return records[:, dataset.label_bytes :], labels


def _read_python(
    file: Path, dataset: _Dataset
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    batch = cifar_pickle.load(file)
    for key in ("data", dataset.label_key):
        if key not in batch:
            raise InputError(
                f"{printable(file)}: pickles a dict without {key!r} (it has "
                f"{some_of(sorted(batch))}): expected the "
                f"python version of {dataset.name}"
            )
    images = batch["data"]
    if not isinstance(images, np.ndarray) or images.dtype != np.uint8 or images.ndim != 2:
        raise InputError(
            f"{printable(file)}: data is not an array of bytes: expected uint8 [N, {_PIXELS}]"
        )
    if images.shape[1] != _PIXELS or not len(images):
        raise InputError(
            f"{printable(file)}: data is {list(images.shape)}: expected uint8 [N, {_PIXELS}], N > 0"
        )
    return images, _integers(batch[dataset.label_key], file, len(images))


def _integers(values: Any, file: Path, count: int) -> npt.NDArray[np.int64]:
    """The labels of a python batch: a list or an array of `count` integers."""
    if isinstance(values, np.ndarray):
        labels = values
    # One by one, without a look into what may be lists of lists without end.
    elif isinstance(values, list) and all(type(value) is int for value in values):
        labels = np.array([value if abs(value) < 2**31 else -1 for value in values], np.int64)
    else:
        raise InputError(
            f"{printable(file)}: labels are no list of integers: expected {count} of them, one per "
            "image"
        )
    if labels.dtype.kind not in "ui" or labels.shape != (count,):
        raise InputError(
            f"{printable(file)}: labels are {labels.dtype} {list(labels.shape)}: expected {count} "
            "integers, "
            "one per image"
        )
    return labels.astype(np.int64)
