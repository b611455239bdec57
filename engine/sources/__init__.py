"""Image sources: folders, archives and arrays of labelled 8-bit images, recognised by content."""

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.engine.sources import cifar, idx
from smoothcert.engine.sources.base import ImageSource, PhotographSource
from smoothcert.engine.sources.folder import FolderSource
from smoothcert.engine.sources.npz import open_npz
from smoothcert.engine.sources.options import NOTHING_SAID, SourceOptions
from smoothcert.engine.sources.parquet import ParquetSource
from smoothcert.engine.sources.patterns import expand
from smoothcert.engine.sources.webdataset import WebdatasetSource

__all__ = ["ImageSource", "PhotographSource", "open_source"]

_KINDS = (
    "a folder of class folders, *.tar, *.parquet, *.npz, a folder of idx files, or an unpacked "
    "CIFAR archive"
)
_TAR = re.compile(r".*\.(tar(\.\w+)?|tgz|tbz2?|txz)", re.IGNORECASE)
# Hugging Face names the files of a split `test-00000-of-00003.parquet`.
_SPLIT = re.compile(r"(.+)-\d+-of-\d+\.parquet|(train|test|val|valid|validation|dev)(?![a-z]).*")


def open_source(
    path: str | Path,
    spec: InputSpec | None,
    num_classes: int | None,
    options: SourceOptions = NOTHING_SAID,
) -> ImageSource:
    """The labelled images at `path`, each delivered as uint8 [C, H, W] of `spec`'s shape.

    A `spec` of None stands for the source's own: arrays in the size they are stored in, photographs
    as the original's ImageNet models take them (3x224x224).

    `path` is one of

    * a folder of class folders, as torchvision's ImageFolder: a class is its folder's place in
      sorted order;
    * `*.tar`, webdataset: `key.jpg` with `key.cls` or `key.json`;
    * `*.parquet`, or a folder of one split of them: columns `image` (struct with bytes), `label`;
    * `*.npz`: `images` uint8 [N, H, W, C] or [N, H, W], `labels` integers [N];
    * a folder of idx files (its test pair), or an images file of one;
    * an unpacked CIFAR-10 or CIFAR-100 archive, binary or python (its test split), or its batch
      files;

    where tar, parquet and CIFAR batch files may be given as one brace or glob pattern, such as
    `x-{000..009}.tar` or `cifar-10-batches-bin/data_batch_{1..5}.bin`, read in brace or sorted
    order. Labels are checked against `num_classes`, the model's (None: unknown). `options` say what
    the files do not: see SourceOptions.

    Raises InputError, in one line, where there is no such source or it does not fit the model.
    """
    paths = expand(str(path))
    # abspath, not resolve: the name is the one the user knows, not that of a link's target.
    name = os.path.basename(os.path.abspath(path))  # noqa: PTH100, PTH119
    try:
        if len(paths) == 1 and paths[0].is_dir():
            return _open_folder(paths[0], name, spec, num_classes)
        return _open_files(paths, name, spec, num_classes)
    except OSError as error:
        raise InputError(
            f"{error.filename or path}: cannot be read ({error.strerror or error}): expected a "
            "readable image source; check the path and its permissions"
        ) from None


def _open_folder(
    folder: Path, name: str, spec: InputSpec | None, num_classes: int | None
) -> ImageSource:
    with os.scandir(folder) as entries:
        is_folder = {entry.name: entry.is_dir() for entry in entries}
    files = sorted(name for name in is_folder if not is_folder[name])
    if test_file := cifar.test_file_in(files):
        return cifar.open_cifar([folder / test_file], name, spec, num_classes)
    if any(map(idx.is_images_file, files)):
        return idx.open_idx(folder, name, spec, num_classes)
    parquets = [file for file in files if file.lower().endswith(".parquet")]
    if parquets:
        matches = map(_SPLIT.fullmatch, parquets)
        splits = {match[1] or match[2] if match else "unnamed" for match in matches}
        if len(splits) > 1:
            raise InputError(
                f"{folder}: holds the splits {', '.join(sorted(splits))}: expected one; name its "
                f"files by a pattern such as '{folder}/test-*.parquet'"
            )
        return ParquetSource([folder / file for file in parquets], name, spec, num_classes)
    if not any(is_folder.values()):
        raise InputError(
            f"{folder}: holds {len(files)} files and no class folders: expected {_KINDS}; name "
            f"archives by a pattern such as '{folder}/*.tar'"
        )
    return FolderSource(folder, name, spec, num_classes)


def _open_files(
    files: Sequence[Path], name: str, spec: InputSpec | None, num_classes: int | None
) -> ImageSource:
    several: dict[str, Callable[..., ImageSource]] = {
        "tar": WebdatasetSource,
        "parquet": ParquetSource,
        "CIFAR": cifar.open_cifar,
    }
    single: dict[str, Callable[..., ImageSource]] = {"npz": open_npz, "idx": idx.open_idx}
    kinds = {_kind(file) for file in files}
    if len(kinds) > 1:
        raise InputError(f"{name}: names files of the kinds {', '.join(sorted(kinds))}: expected 1")
    kind = kinds.pop()
    if kind in several:
        return several[kind](files, name, spec, num_classes)
    if len(files) > 1:
        raise InputError(f"{name}: names {len(files)} {kind} files: expected one at a time")
    return single[kind](files[0], name, spec, num_classes)


def _kind(file: Path) -> str:
    """The kind of a file by its name; raises InputError where it has none."""
    lower = file.name.lower()
    if file.is_dir():
        raise InputError(f"{file}: is one of several folders: expected one folder, or files")
    if _TAR.fullmatch(lower):
        return "tar"
    for kind in ("parquet", "npz"):
        if lower.endswith(f".{kind}"):
            return kind
    if idx.is_images_file(file.name):
        return "idx"
    if cifar.is_batch_file(file.name):
        return "CIFAR"
    raise InputError(f"{file}: is no image source by its name: expected {_KINDS}")
