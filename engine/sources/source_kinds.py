"""What kind of source a folder or a file is, by what it holds and what it is called."""

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.engine.base.wording import printable
from smoothcert.engine.sources.archives.hugging_face import (
    open_parquets,
    open_saved,
    parquets,
    parquets_of_clone,
    saved,
)
from smoothcert.engine.sources.archives.parquet import ParquetSource
from smoothcert.engine.sources.archives.webdataset import WebdatasetSource
from smoothcert.engine.sources.arrays import cifar, idx
from smoothcert.engine.sources.arrays.npy_folder import is_npy, open_npy_folder
from smoothcert.engine.sources.arrays.npz import open_npz
from smoothcert.engine.sources.base import ImageSource
from smoothcert.engine.sources.flat import FlatSource
from smoothcert.engine.sources.folder import FolderSource, class_folders
from smoothcert.engine.sources.labelling.label_list import is_list
from smoothcert.engine.sources.options import SourceOptions
from smoothcert.engine.sources.tree import LeftOut, is_photograph

_KINDS = (
    "a folder of class folders, *.tar, *.parquet, *.npz, a folder of idx or .npy files, or an "
    "unpacked CIFAR archive"
)
_TAR = re.compile(r".*\.(tar(\.\w+)?|tgz|tbz2?|txz)", re.IGNORECASE)
_NOT_READ = {
    (".pt", ".pth", ".pkl", ".pickle"): "a pickle, which is a program and is not run; where it is "
    "trusted, save its images and labels by numpy.savez",
    (".mat", ".h5", ".hdf5", ".hdf"): "of a format that is not read; save its images and labels by "
    "numpy.savez",
    (".tfrecord", ".tfrecords", ".lmdb", ".mdb", ".beton", ".rec"): "of a format that is "
    "not read; write it as parquet or webdataset",
    (".arrow",): "one file of a data set of save_to_disk; give its folder",
    (".zip", ".7z", ".rar", ".gz"): "compressed; unpack it and give its folder",
    (".npy",): "a single array; give its folder, and --arrays IMAGES,LABELS where it has several",
    (".json", ".jsonl"): "no images",
}


def open_folder(
    folder: Path,
    name: str,
    spec: InputSpec | None,
    num_classes: int | None,
    options: SourceOptions,
) -> ImageSource:
    """The source that a folder is; raises InputError."""
    if options.labels is not None:
        options.refuse_unused(name, "a folder with a list of labels", "labels", "classes")
        return FlatSource(folder, name, spec, num_classes, options)
    with os.scandir(folder) as entries:
        is_folder = {entry.name: entry.is_dir() for entry in entries}
    files = sorted(name for name in is_folder if not is_folder[name])
    if test_file := cifar.test_file_in(files):
        return _open_arrays(folder / test_file, "CIFAR", name, spec, num_classes, options)
    if any(map(idx.is_images_file, files)):
        return _open_arrays(folder, "idx", name, spec, num_classes, options)
    if found := parquets(folder, files):
        return open_parquets(folder, found, name, spec, num_classes, options)
    folders = class_folders(folder, LeftOut())
    if any(map(is_npy, files)) and (options.arrays is not None or not folders):
        return open_npy_folder(folder, name, spec, num_classes, options)
    if where := saved(folder, is_folder.keys()):
        return open_saved(where, name, spec, num_classes, options)
    if found := parquets_of_clone(folder, folders):
        return open_parquets(folder, found, name, spec, num_classes, options)
    if options.unlabelled and (folders or any(map(is_photograph, files))):
        options.refuse_unused(name, "a folder of photographs")
        return FlatSource(folder, name, spec, num_classes, options)
    if not folders:
        raise InputError(_no_classes(folder, files))
    options.refuse_unused(name, "a folder of class folders", "classes")
    return FolderSource(folder, name, spec, num_classes, options.classes)


def open_files(
    files: Sequence[Path],
    name: str,
    spec: InputSpec | None,
    num_classes: int | None,
    options: SourceOptions,
) -> ImageSource:
    """The source that a file is, or several of one kind; raises InputError."""
    several: dict[str, Callable[..., ImageSource]] = {
        "tar": WebdatasetSource,
        "parquet": ParquetSource,
    }
    kinds = {_kind(file) for file in files}
    if len(kinds) > 1:
        raise InputError(f"{name}: names files of the kinds {', '.join(sorted(kinds))}: expected 1")
    kind = kinds.pop()
    if kind in several:
        return several[kind](files, name, spec, num_classes, options)
    if kind == "CIFAR":
        options.refuse_unused(name, "a CIFAR archive")
        return cifar.open_cifar(files, name, spec, num_classes, options.unlabelled)
    if len(files) > 1:
        raise InputError(f"{name}: names {len(files)} {kind} files: expected one at a time")
    if kind == "npz":
        return open_npz(files[0], name, spec, num_classes, options)
    return _open_arrays(files[0], kind, name, spec, num_classes, options)


def _open_arrays(
    path: Path,
    kind: str,
    name: str,
    spec: InputSpec | None,
    num_classes: int | None,
    options: SourceOptions,
) -> ImageSource:
    """A source whose publishers fixed its form, so that options have nothing to say."""
    if kind == "CIFAR":
        options.refuse_unused(name, "a CIFAR archive")
        return cifar.open_cifar([path], name, spec, num_classes, options.unlabelled)
    options.refuse_unused(name, "of idx files")
    return idx.open_idx(path, name, spec, num_classes, options.unlabelled)


def _no_classes(folder: Path, files: Sequence[str]) -> str:
    """Why a folder without folders is no source, and what to do about it."""
    visible = [file for file in files if not file.startswith(".")]
    photographs = sum(map(is_photograph, visible))
    shown = printable(folder)
    if photographs:
        lists = [file for file in visible if is_list(Path(file))]
        found = f"{shown}/{printable(lists[0])}" if len(lists) == 1 else "FILE"
        return (
            f"{shown}: holds {photographs:,} photographs and no class folders: expected their "
            f"labels; give a list of lines `name class` as --labels {found}, or --unlabelled where "
            "there are none"
        )
    archives = [file for file in visible if file.lower().endswith(".npz")]
    hint = (
        f"give '{shown}/{printable(archives[0])}' itself"
        if archives
        else f"name archives by a pattern such as '{shown}/*.tar'"
    )
    return f"{shown}: holds {len(files)} files and no class folders: expected {_KINDS}; {hint}"


def _kind(file: Path) -> str:
    """The kind of a file by its name; raises InputError where it has none."""
    lower, shown = file.name.lower(), printable(file)
    if file.is_dir():
        raise InputError(f"{shown}: is one of several folders: expected one folder, or files")
    if _TAR.fullmatch(lower):
        return "tar"
    for kind in ("parquet", "npz"):
        if lower.endswith(f".{kind}"):
            return kind
    if idx.is_images_file(file.name):
        return "idx"
    if cifar.is_batch_file(file.name):
        return "CIFAR"
    if is_list(file):
        raise InputError(
            f"{shown}: is a list of labels: give its folder, and this as --labels {shown}"
        )
    if is_photograph(lower):
        raise InputError(
            f"{shown}: is a photograph, and no image source by its name: give its folder, and "
            "--labels FILE or --unlabelled"
        )
    for suffixes, what in _NOT_READ.items():
        if lower.endswith(suffixes):
            raise InputError(f"{shown}: is {what}: expected {_KINDS}")
    raise InputError(f"{shown}: is no image source by its name: expected {_KINDS}")
