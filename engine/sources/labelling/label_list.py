"""`--labels FILE`: which class each photograph of a folder has, by its name."""

import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.sources.given_files import printable
from smoothcert.engine.sources.labelling.json_labels import is_json, named_labels
from smoothcert.engine.sources.labelling.list_file import ListFile
from smoothcert.engine.sources.tree import is_photograph

_NAMES = frozenset(
    {"imageid", "image_id", "image", "img", "images", "filename", "file_name", "file", "name",
     "path", "filepath", "file_path", "image_path", "img_path", "image_name", "img_name", "id"}
)  # fmt: skip
_CLASSES = frozenset(
    {"predictionstring", "label", "labels", "class", "classes", "class_id", "classid", "category",
     "class_index", "class_idx", "class_name", "target", "y", "wnid", "synset", "label_id"}
)  # fmt: skip
_BOXES = "predictionstring"
_SEPARATORS = ("\t", ",", ";", " ")
_FORM = "expected lines `name class`, or CSV with a header such as filename,label"


@dataclass(frozen=True)
class Entry:
    """A line of a list: the name of a photograph, and its class, a number or a name.

    line  its place in the file, from 1
    """

    line: int
    name: str
    label: str


@dataclass(frozen=True)
class LabelList:
    """A list of labels, line by line; errors name it by `file.path`.

    columns  in words, which of its columns were read, where it has a header
    """

    file: ListFile
    entries: Sequence[Entry]
    columns: str = ""

    @classmethod
    def read(cls, path: Path, knows: Callable[[str], bool]) -> "LabelList":
        """The entries of a list: lines `name class` with tabs, commas, semicolons or blanks
        between, of which further ones are ignored, or CSV whose header has a column of names and
        one of classes.

        `knows` says whether a name is that of a photograph, which decides how lines are to be
        split. Of Kaggle's PredictionString, the first class counts. Empty lines and lines that
        begin with # are ignored. For JSON see named_labels. Raises InputError for a line without
        a class.
        """
        file = ListFile.read(path, "a list of labels")
        if is_json(file.text):
            found = named_labels(path, file.text, _NAMES, _CLASSES)
            return cls(file, [Entry(*entry) for entry in found])
        lines = [
            (number, line.rstrip())
            for number, line in enumerate(file.text.splitlines(), start=1)
            if line.strip() and not line.startswith("#")
        ]
        if not lines:
            raise InputError(f"{printable(path)}: holds no labels: {_FORM}")
        _check_has_names(path, [line for _, line in lines])
        for separator in _SEPARATORS:
            if columns := _header(_split(lines[0][1], separator)):
                return cls(file, list(_rows(path, lines[1:], separator, *columns)), _said(columns))
        first = lines[0][1]
        fitting = [s for s in _SEPARATORS if len(_split(first, s)) > 1]
        known = [s for s in fitting if knows(_split(first, s)[0])]
        separator = (known or fitting or [" "])[0]
        return cls(file, list(_rows(path, lines, separator, (0, ""), (1, ""))))


def is_list(path: Path) -> bool:
    """Whether a file given as a source is a list of some kind, and not images."""
    return path.suffix.lower() in (".txt", ".csv", ".tsv", ".lst")


def _check_has_names(path: Path, lines: Sequence[str]) -> None:
    """Raise InputError for a list of bare numbers, such as ILSVRC2012_validation_ground_truth.txt:
    what images they are of, and what classes they number, is a guess."""
    if all(line.strip().lstrip("-").isdigit() for line in lines):
        raise InputError(
            f"{printable(path)}: holds a number in each line and no names: {_FORM}; in ILSVRC's "
            "validation_ground_truth such numbers are ids 1..1000 in an order of their own, not "
            "that of the sorted wnids, so take LOC_val_solution.csv, or a list with names"
        )


def _header(cells: Sequence[str]) -> tuple[tuple[int, str], tuple[int, str]] | None:
    """Place and title of the columns of names and of classes, where these cells are a header."""
    titles = [cell.strip().lower().replace(" ", "_") for cell in cells]
    names = [place for place, title in enumerate(titles) if title in _NAMES]
    classes = [place for place, title in enumerate(titles) if title in _CLASSES]
    if not names or not classes:
        return None
    return (names[0], cells[names[0]].strip()), (classes[0], cells[classes[0]].strip())


def _said(columns: tuple[tuple[int, str], tuple[int, str]]) -> str:
    (_, name), (_, label) = columns
    return f" (columns {printable(name)} and {printable(label)})"


def _rows(
    path: Path,
    lines: Sequence[tuple[int, str]],
    separator: str,
    name: tuple[int, str],
    label: tuple[int, str],
) -> Iterator[Entry]:
    for number, line in lines:
        cells = _split(line, separator)
        if len(cells) <= max(name[0], label[0]) or not cells[label[0]].strip():
            raise InputError(
                f"{printable(path)} line {number}: has no class ({printable(line.strip()[:60])!r}):"
                f" {_FORM}"
            )
        text = cells[label[0]].strip()
        if label[1].lower() == _BOXES:
            text = text.split()[0]
        yield Entry(number, cells[name[0]].strip(), text)


def _split(line: str, separator: str) -> list[str]:
    """The fields of a line. Between blanks, a name goes on up to its extension, if it has one."""
    if separator != " ":
        try:
            return next(csv.reader([line], delimiter=separator), [])
        except csv.Error:  # a cell beyond any name's length
            return [line]
    if line.lstrip().startswith('"'):
        name, _, rest = line.lstrip()[1:].partition('"')
        return [name, *rest.split()]
    fields = line.split()
    end = next((n for n, field in enumerate(fields, start=1) if is_photograph(field)), 1)
    head = line.lstrip()
    if 1 < end < len(fields):  # blanks in a name are kept as they are
        rest = head
        for _ in range(end):
            rest = rest.lstrip()
            rest = rest[len(rest.split(maxsplit=1)[0]) :]
        return [head[: len(head) - len(rest)], *rest.split()]
    return fields
