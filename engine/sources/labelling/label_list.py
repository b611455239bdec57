"""`--labels FILE`: which class each photograph of a folder has, by its name."""

import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.wording import printable
from smoothcert.engine.sources.labelling.json_labels import is_json, named_labels
from smoothcert.engine.sources.labelling.labels import is_index
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

_Find = Callable[[str], str | None]
"""The photograph that a name is of; None for none."""
_Cells = Sequence[tuple[int, Sequence[str]]]
"""Lines in their fields, each with its number."""


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
    def read(cls, path: Path, find: _Find, *, by_name: bool = False) -> "LabelList":
        """The entries of a list: lines `name class` with tabs, commas, semicolons or blanks
        between, of which further ones are ignored, or CSV whose header has a column of names and
        one of classes.

        `find` says what photograph a name is of, which decides how lines are to be split, and
        which of several columns has the names. Of several columns of classes, one of indices
        counts before one of names; `by_name` the other way about. Of Kaggle's PredictionString,
        the first class counts. Empty lines and lines that begin with # are ignored. For JSON see
        named_labels. Raises InputError for a line without a class, and for columns that contradict
        each other.
        """
        file = ListFile.read(path, "a list of labels")
        if is_json(file.text):
            found = named_labels(path, file.text, _NAMES, _CLASSES, by_name)
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
            names, classes = _header(_split(lines[0][1], separator))
            if names and classes:
                cells = [(number, _split(line, separator)) for number, line in lines[1:]]
                if not cells:
                    raise InputError(
                        f"{printable(path)}: holds no labels after its header: {_FORM}"
                    )
                name = _column_of_names(path, names, cells, find)
                label = _column_of_classes(path, classes, cells, by_name)
                said = f" (columns {printable(name.title)} and {printable(label.title)})"
                return cls(file, list(_rows(path, cells, name, label, find)), said)
        first = lines[0][1]
        fitting = [s for s in _SEPARATORS if len(_split(first, s)) > 1]
        known = [s for s in fitting if find(_split(first, s)[0])]
        separator = (known or fitting or [" "])[0]
        cells = [(number, _split(line, separator)) for number, line in lines]
        return cls(file, list(_rows(path, cells, _Column(0), _Column(1), find)))


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


@dataclass(frozen=True)
class _Column:
    """A column of a list, and what its header calls it."""

    place: int
    title: str = ""

    def of(self, cells: Sequence[str]) -> str:
        """Its value in a line; "" where there is none."""
        text = cells[self.place].strip() if self.place < len(cells) else ""
        return text.split()[0] if text and self.title.lower() == _BOXES else text


def _header(cells: Sequence[str]) -> tuple[list[_Column], list[_Column]]:
    """The columns of names and of classes, where these cells are a header."""
    titles = [cell.strip().lower().replace(" ", "_") for cell in cells]
    columns = [_Column(place, cell.strip()) for place, cell in enumerate(cells)]
    return (
        [columns[place] for place, title in enumerate(titles) if title in _NAMES],
        [columns[place] for place, title in enumerate(titles) if title in _CLASSES],
    )


def _column_of_names(path: Path, columns: list[_Column], lines: _Cells, find: _Find) -> _Column:
    """The column that names the most photographs; `id` may be no more than a row's number."""
    if len(columns) == 1:
        return columns[0]
    photographs = [[find(column.of(cells)) for _, cells in lines] for column in columns]
    for (number, _), of_line in zip(lines, zip(*photographs, strict=True), strict=True):
        if len(set(of_line) - {None}) > 1:
            titles = " and ".join(printable(column.title) for column in columns)
            raise InputError(
                f"{printable(path)} line {number}: its columns {titles} name different photographs:"
                " expected one column of names; remove the others"
            )
    known = [len(found) - found.count(None) for found in photographs]
    return columns[known.index(max(known))]


def _column_of_classes(path: Path, columns: list[_Column], lines: _Cells, by_name: bool) -> _Column:
    """The first column of class indices; where there is none, or names are wanted, of names."""
    of_indices = [
        column for column in columns if all(is_index(column.of(cells)) for _, cells in lines)
    ]
    if by_name or not of_indices:
        return next((column for column in columns if column not in of_indices), columns[0])
    for number, cells in lines:
        if len({int(column.of(cells)) for column in of_indices}) > 1:
            titles = " and ".join(printable(column.title) for column in of_indices)
            raise InputError(
                f"{printable(path)} line {number}: its columns {titles} are different class "
                "indices: expected one column of them; remove the others"
            )
    return of_indices[0]


def _rows(path: Path, lines: _Cells, name: _Column, label: _Column, find: _Find) -> Iterator[Entry]:
    for number, cells in lines:
        text = label.of(cells)
        if not text:
            raise InputError(
                f"{printable(path)} line {number}: has no class "
                f"({printable(' '.join(cells).strip()[:60])!r}): {_FORM}"
            )
        if is_photograph(text) and find(text) is not None:
            raise InputError(
                f"{printable(path)} line {number}: has the photograph {printable(text)[:80]} where "
                f"a class was expected: {_FORM}; put the names first"
            )
        yield Entry(number, name.of(cells), text)


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
