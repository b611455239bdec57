"""What lies in a source, or beside it, that an option of it may name."""

import zipfile
from collections.abc import Iterator
from itertools import islice, product
from pathlib import Path

from smoothcert.analysis.reading.layout import looks_like_a_log
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.regular import check_regular, open_regular
from smoothcert.engine.models.kinds import kind_of
from smoothcert.engine.sources import open_source
from smoothcert.engine.sources.arrays.npy_header import NpyHeader
from smoothcert.engine.sources.options import SourceOptions

_LISTS = (".txt", ".csv", ".tsv", ".lst", ".list")
_LARGEST_LIST = 10_000_000
_MOST_LISTS = 8
_MOST_FILES = 200


def lists_near(path: Path) -> list[Path]:
    """Files in a folder or beside it that may be lists of labels or of classes."""
    folders = [path, path.parent] if path.is_dir() else [path.parent]
    return list(islice((file for folder in folders for file in _lists(folder)), _MOST_LISTS))


def _lists(folder: Path) -> Iterator[Path]:
    for file in _files(folder):
        if file.suffix.lower() in _LISTS and 0 < file.stat().st_size < _LARGEST_LIST:
            yield file


def folders_listed_by(file: Path) -> list[Path]:
    """The folders beside a list of labels, or the one it is in, that it labels photographs of."""
    try:
        beside = sorted(folder for folder in file.parent.iterdir() if folder.is_dir())
    except OSError:
        return []
    found: list[Path] = []
    for folder in [*beside[:_MOST_LISTS], file.parent]:
        if found and folder == file.parent:  # which holds the others
            break
        try:
            open_source(folder, None, None, SourceOptions(labels=file))
        except InputError:
            continue
        found.append(folder)
    return found


def models_in(folder: Path) -> list[Path]:
    """The model files in a folder."""
    found = []
    for file in _files(folder):
        try:
            if kind_of(file).ours:
                found.append(file)
        except (InputError, OSError):
            continue
    return found


def logs_in(folder: Path) -> list[Path]:
    """The logs in a folder, those without a text left out."""
    return [file for file in _files(folder) if looks_like_a_log(file) and file.stat().st_size]


def _files(folder: Path) -> list[Path]:
    try:
        names = sorted(islice(folder.iterdir(), 100_000))
        return [file for file in names if file.is_file()][:_MOST_FILES]
    except OSError:
        return []


def classes_by_number(folder: Path, num_classes: int | None) -> tuple[str, ...]:
    """The names of a model's classes in their order, where the folders in `folder` are named by
    numbers and a number's size decides, not its text; none where it cannot be so.

    With a number of classes (None: unknown) above all of the numbers these are the indices.
    """
    try:
        names = [path.name for path in folder.iterdir() if path.name[:1] != "." and path.is_dir()]
    except OSError:
        return ()
    if not names or not all(name.isascii() and name.isdigit() for name in names):
        return ()
    names.sort(key=int)
    if num_classes is None and int(names[-1]) == len(names) - 1:
        num_classes = len(names)
    if num_classes is not None and num_classes > int(names[-1]):
        listed = tuple(map(str, range(num_classes)))
        return listed if set(names) <= set(listed) else ()
    as_many = num_classes in (None, len(names))
    return tuple(names) if as_many and names != sorted(names) else ()


def arrays_in(path: Path) -> list[tuple[str, str]]:
    """Pairs of arrays in an .npz file that may be images and their labels."""
    images, labels = [], []
    try:
        with open_regular(path) as opened, zipfile.ZipFile(opened) as archive:
            for member in archive.namelist():
                with archive.open(member) as file:
                    header = NpyHeader.read(file)
                if header is None:
                    continue
                shape, dtype = header.shape, header.dtype
                name = member.removesuffix(".npy")
                if len(shape) in (3, 4) and dtype.kind in "uif":
                    images.append((name, shape[0]))
                elif dtype.kind in "ui" and len([side for side in shape if side != 1]) == 1:
                    labels.append((name, shape[0]))
    except Exception:  # as open_source said in its way
        return []
    return [(x, y) for (x, many), (y, as_many) in product(images, labels) if many == as_many]


def columns_in(path: Path) -> list[tuple[str, str]]:
    """Pairs of columns of parquet files that may be images and their labels."""
    try:
        import pyarrow.parquet
        import pyarrow.types as types

        files = [path] if path.is_file() else sorted(path.glob("*.parquet"))
        check_regular(files[0])
        schema = pyarrow.parquet.read_schema(files[0])
    except Exception:  # as open_source said in its way
        return []
    images = [f.name for f in schema if types.is_struct(f.type) or types.is_binary(f.type)]
    labels = [f.name for f in schema if types.is_integer(f.type) or types.is_dictionary(f.type)]
    return list(product(images, labels))
