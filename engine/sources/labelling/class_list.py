"""`--classes FILE`: the names of a model's classes, in their order."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from smoothcert.engine.base.errors import InputError, one_line
from smoothcert.engine.base.wording import printable
from smoothcert.engine.sources.labelling.list_file import ListFile

_FORM = (
    "expected a line for each class of the model in their order, beginning with its name, or JSON "
    'such as {"0": ["n01440764", "tench"]}'
)
_AMBIGUOUS = -1


class ClassList:
    """The model's classes by name, as a file lists them.

    A line is a class, and stands for its whole text and for what comes before its first tab, comma
    or blank; where all lines begin with their own number, that is dropped. JSON is an object from
    indices to names or lists of names (also under id2label, as in the config.json of Hugging Face
    models), one from names to indices, or an array. Raises InputError for anything else, and for
    lines that number the classes in another order than their own.
    """

    def __init__(self, path: Path) -> None:
        self.file = ListFile.read(path, "a list of classes")
        text = self.file.text.strip()
        if text.startswith(("{", "[")):
            entries = _entries(_json(path, text), path)
        else:
            lines = _lines(path, text)
            _check_order(path, lines)
            entries = [_of_line(line) for line in _unnumbered(lines)]
        self._size = len(entries)
        self._index: dict[str, int] = {}
        # Of two meanings of a name the more literal one counts: a whole line before its first word.
        for depth in range(max(map(len, entries), default=0)):
            level: dict[str, int] = {}
            for index, names in enumerate(entries):
                if depth < len(names):
                    name = names[depth]
                    level[name] = index if level.get(name, index) == index else _AMBIGUOUS
            self._index = level | self._index

    def __len__(self) -> int:
        """The number of classes."""
        return self._size

    def index(self, name: str) -> int | None:
        """The class of this name; None where there is none. Raises InputError where two have it."""
        found = self._index.get(name)
        if found == _AMBIGUOUS:
            raise InputError(
                f"{printable(self.file.path)}: names more than one class {printable(name)}: "
                "expected each name once; give the classes other names, there and in the source"
            )
        return found

    def check_size(self, num_classes: int | None) -> None:
        """Raise InputError unless the list has the model's number of classes (None: unknown)."""
        if num_classes is not None and self._size != num_classes:
            raise InputError(
                f"{printable(self.file.path)}: names {self._size} classes, the model has "
                f"{num_classes}: {_FORM}"
            )


def _lines(path: Path, text: str) -> list[str]:
    lines = [line.strip() for line in text.splitlines()]
    if not text:
        raise InputError(f"{printable(path)}: is empty: {_FORM}")
    if "" in lines:
        raise InputError(
            f"{printable(path)} line {lines.index('') + 1}: is empty, and a line's place is its "
            "class: expected a name in each"
        )
    return lines


def _check_order(path: Path, lines: list[str]) -> None:
    """Raise InputError where a field of each line is a number of the classes, from 0 or from 1, and
    says otherwise than the lines' order."""
    fields = [line.replace(",", " ").replace(";", " ").split() for line in lines]
    for place in (0, 1, -1):
        if any(len(each) < 2 for each in fields):
            return
        numbers = [each[place].rstrip(":") for each in fields]
        if not all(
            number.isascii() and number.isdigit() and len(number) < 20 for number in numbers
        ):
            continue
        found = list(map(int, numbers))
        if found != sorted(found) and sorted(found) in (
            list(range(len(lines))),
            list(range(1, len(lines) + 1)),
        ):
            line = next(n for n, number in enumerate(found) if number != min(found) + n)
            raise InputError(
                f"{printable(path)} line {line + 1}: is numbered {found[line]}, and a line's place "
                "is its class, from 0: expected the lines in the order of their numbers; sort them,"
                " or give them as JSON"
            )


def _unnumbered(lines: list[str]) -> list[str]:
    """The lines without their own numbers, where all have them, from 0 or from 1."""
    for first in (0, 1):
        rests = []
        for number, line in enumerate(lines, start=first):
            head = line.partition("\t")[0].partition(",")[0].split()[:1] or [""]
            rest = line[len(head[0]) :].lstrip(" \t,:")
            if head[0].rstrip(":") != str(number) or not rest:
                break
            rests.append(rest)
        if len(rests) == len(lines):
            return rests
    return lines


def _of_line(line: str) -> list[str]:
    """What a line may be called by, the most literal first."""
    names = [line]
    for separator in ("\t", ","):
        names.append(line.partition(separator)[0].strip())
    words = line.replace(",", " ").split(maxsplit=1)
    names.append(words[0] if words else line)  # of commas alone, or of blanks that are no spaces
    return [name.strip("\"'") for name in names]


def _json(path: Path, text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{printable(path)}: is not JSON ({one_line(error)}): {_FORM}") from None


def _entries(content: Any, path: Path) -> list[list[str]]:
    """The names of each class, of a JSON value."""
    if isinstance(content, dict) and isinstance(content.get("id2label"), dict):
        content = content["id2label"]
    elif isinstance(content, dict) and isinstance(content.get("label2id"), dict):
        content = content["label2id"]
    if isinstance(content, dict):
        if content and all(type(value) is int for value in content.values()):
            content = _inverted(content)
        try:
            by_index = {int(key): value for key, value in content.items()}
        except ValueError:
            by_index = {}
        if sorted(by_index) != list(range(len(content))) or not content:
            raise InputError(
                f"{printable(path)}: its {len(content)} JSON keys are not the indices 0, 1, 2 ...: "
                f"{_FORM}"
            )
        content = [by_index[index] for index in range(len(by_index))]
    if not (isinstance(content, list) and content):
        raise InputError(f"{printable(path)}: holds no list of classes: {_FORM}")
    return [_names(value, path) for value in content]


def _inverted(content: dict[str, int]) -> dict[str, list[str]]:
    names: dict[str, list[str]] = {}
    for name, index in content.items():
        names.setdefault(str(index), []).append(name)
    return names


def _names(value: Any, path: Path) -> list[str]:
    if isinstance(value, str) and value:
        return _of_line(value)
    if isinstance(value, list) and value and all(isinstance(name, str) for name in value):
        return list(_distinct(value))
    raise InputError(
        f"{printable(path)}: has the class {one_line(value, 40)}: expected its name, or a list of "
        "names"
    )


def _distinct(names: Iterable[str]) -> Iterable[str]:
    return dict.fromkeys(names)
