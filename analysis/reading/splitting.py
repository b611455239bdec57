"""What parts the fields of a line, and which lines are no rows."""

import re
from collections.abc import Callable

Splitter = Callable[[str], list[str]]

_EDGES = " \"'"
_NUMBER = re.compile(r"[-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?")


def splitters_of(line: str) -> tuple[Splitter, ...]:
    """The ways to part the fields of a log with this line, the likeliest first: at tabs, commas
    or semicolons; without empty fields; at blanks."""
    for mark in "\t,;":
        if mark in line:
            return _parted(mark), _compact(mark), str.split
    return (str.split,)


def _parted(mark: str) -> Splitter:
    """At every mark; blanks and quotes around a field are no part of it."""

    def split(line: str) -> list[str]:
        fields = line.split(mark)
        edged = " " in line or '"' in line or "'" in line
        return [field.strip(_EDGES) for field in fields] if edged else fields

    return split


def _compact(mark: str) -> Splitter:
    """Without empty fields: several tabs stand between two, or one at the end."""
    return lambda line: [field for part in line.split(mark) if (field := part.strip(_EDGES))]


def is_number(text: str) -> bool:
    """Whether the text looks like a number, which no name of a column does."""
    return bool(_NUMBER.fullmatch(text))


def is_remark(line: str) -> bool:
    """Whether the line is text that no row begins like, torn or whole."""
    words = line.replace("\t", " ").replace(",", " ").split()
    return not words or (not is_number(words[0]) and " ".join(words).isprintable())
