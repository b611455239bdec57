"""Words of anyone's making, as a terminal, a log and a manifest may hold them.

Names of files, messages of libraries and entries of manifests need not be Unicode, and may hold
what a terminal obeys (escape sequences) or what misleads a reader (marks that turn the direction of
writing). Everything that is printed passes `printable` or `printable_line`.
"""

import json
from typing import Any

LONGEST_NAME = 1000
"""Of an architecture, a data set, or a tensor."""


def printable(text: object) -> str:
    """The text as one line that any file and terminal can hold: what is not printable (control
    characters, line breaks, marks of direction, bytes of a name that are not Unicode) becomes an
    escape such as \\x1b."""
    whole = str(text).encode("utf-8", "backslashreplace").decode("utf-8")
    if whole.isprintable():
        return whole
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in whole)


def is_name(value: object) -> bool:
    """Whether it is a name that a line can say: a text of at most LONGEST_NAME characters, all of
    them printable."""
    return isinstance(value, str) and len(value) <= LONGEST_NAME and value.isprintable()


def printable_line(text: object) -> str:
    """A sentence as one printable line: line breaks become blanks, and the rest is as `printable`
    has it."""
    return printable(" ".join(line.strip() for line in str(text).splitlines()))


def printable_json(value: Any) -> str:
    """JSON in one line; what is not printable is in JSON's own escapes, and reads back the same."""
    text = json.dumps(value, ensure_ascii=False)
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text)


def shown(value: Any, most: int = 40) -> str:
    """A value of anyone's making, in one short printable line."""
    try:
        text = ascii(value)
    except ValueError:  # an integer of more digits than Python prints
        is_integer = isinstance(value, int) and not isinstance(value, bool)
        text = f"a number of {value.bit_length()} bits" if is_integer else "a large value"
    except RecursionError:
        text = "a deeply nested value"
    return text if len(text) <= most else f"{text[:most]}..."
