"""Data sets of Hugging Face in a folder: parquet files of one or several splits, and what
`save_to_disk` of `datasets` writes."""

import os
import re
from collections.abc import Sequence, Set
from pathlib import Path

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.engine.base.wording import printable
from smoothcert.engine.sources.archives.parquet import ArrowSource, ParquetSource
from smoothcert.engine.sources.base import ImageSource
from smoothcert.engine.sources.given_files import some_of
from smoothcert.engine.sources.options import SourceOptions

# Hugging Face names a split's files `test-00000-of-00003.parquet`, others `mnist_test.parquet`.
_PART = re.compile(r"(.+)-\d+-of-\d+\.parquet")
_WORD = re.compile(r"(?<![a-z])(train|test|val|dev|valid|validation|training|testing)(?![a-z])")
_LONG = {"training": "train", "testing": "test"}
_CLONE = "data"
"""Where a data set that is cloned from the hub has its files."""


def parquets(folder: Path, files: Sequence[str]) -> list[Path]:
    """The parquet files of a folder, in sorted order."""
    return [folder / f for f in files if f.lower().endswith(".parquet") and not f.startswith(".")]


def parquets_of_clone(folder: Path, folders: Sequence[str]) -> list[Path]:
    """Those of a data set as it is cloned from Hugging Face's hub, where they are in `data`."""
    if _CLONE not in folders:
        return []
    inner = folder / _CLONE
    return parquets(inner, sorted(entry.name for entry in inner.iterdir()))


def open_parquets(
    folder: Path,
    files: Sequence[Path],
    name: str,
    spec: InputSpec | None,
    num_classes: int | None,
    options: SourceOptions,
) -> ImageSource:
    """The files of the only split, or of the test split among several."""
    splits: dict[str, list[Path]] = {}
    for file in files:
        splits.setdefault(_split(file.name), []).append(file)
    if len(splits) == 1:
        return ParquetSource(files, name, spec, num_classes, options)
    if "test" not in splits or "unnamed" in splits:
        of_one = max(splits.items())[1]
        pattern = re.sub(r"\d+", "*", of_one[0].name) if len(of_one) > 1 else of_one[0].name
        raise InputError(
            f"{printable(folder)}: holds the splits {some_of(sorted(splits))}: expected one; "
            f"name its files, such as '{printable(files[0].parent / pattern)}'"
        )
    source = ParquetSource(splits["test"], name, spec, num_classes, options)
    return _of_split(source, "test", sorted(splits.keys() - {"test"}))


def _split(name: str) -> str:
    """The split that a file is of, by its name; "unnamed" where it says none."""
    if part := _PART.fullmatch(name):
        return part[1]
    words = set(_WORD.findall(name.lower()))
    word = words.pop() if len(words) == 1 else "unnamed"
    return _LONG.get(word, word)


def saved(folder: Path, names: Set[str]) -> tuple[Path, tuple[str, ...]] | None:
    """The folder with the arrow files of a data set that `save_to_disk` wrote, in `folder` or in
    that of a split, and the splits that are left aside; None where it is no such data set."""
    if "dataset_info.json" in names and any(map(_is_arrow, names)):
        return folder, ()
    if "dataset_dict.json" not in names:
        return None
    splits = [name for name in sorted(names) if any(map(_is_arrow, _names_in(folder / name)))]
    if len(splits) != 1 and "test" not in splits:
        raise InputError(
            f"{printable(folder)}: holds the splits {some_of(splits) or '(none)'}: expected one; "
            "give the folder of a split"
        )
    split = splits[0] if len(splits) == 1 else "test"
    return folder / split, tuple(name for name in splits if name != split)


def _is_arrow(name: str) -> bool:
    # The other arrow files that `datasets` leaves are of its cache, and of transforms.
    return name.endswith(".arrow") and not name.startswith((".", "cache-", "tmp"))


def _names_in(folder: Path) -> list[str]:
    return sorted(os.listdir(folder)) if folder.is_dir() else []  # noqa: PTH208


def open_saved(
    where: tuple[Path, tuple[str, ...]],
    name: str,
    spec: InputSpec | None,
    num_classes: int | None,
    options: SourceOptions,
) -> ImageSource:
    """The arrow files in the folder that `saved` found, without the splits left aside."""
    folder, others = where
    files = [folder / file for file in _names_in(folder) if _is_arrow(file)]
    source = ArrowSource(files, name, spec, num_classes, options)
    return _of_split(source, "test", others) if others else source


def _of_split(source: ParquetSource, split: str, others: Sequence[str]) -> ParquetSource:
    source.said = (f"images of the split {split}, not of {some_of(others)}", *source.said)
    source.split = split
    return source
