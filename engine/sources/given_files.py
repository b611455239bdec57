"""Files as strangers have them: are they files at all, and can their names be printed?"""

import stat
from collections.abc import Sequence
from pathlib import Path

from smoothcert.engine.base.errors import InputError

_MOST_NAMES = 12


def check_regular(file: Path) -> None:
    """Raise InputError where `file` is there and no regular file: reading a pipe or a device may
    never end. One that is not there is left to whoever opens it."""
    try:
        mode = file.stat().st_mode
    except OSError:
        return
    if not stat.S_ISREG(mode):
        raise InputError(
            f"{printable(file)}: cannot be read (it is a {_what(mode)}): expected a regular file; "
            "copy its content into one"
        )


def printable(name: object) -> str:
    """A file's name, or a path, as one line of text that any file and terminal can hold: names need
    not be Unicode, and bytes that are none become escapes, as control characters do."""
    text = str(name).encode("utf-8", "backslashreplace").decode("utf-8")
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def some_of(names: Sequence[str], most: int = _MOST_NAMES) -> str:
    """The names, separated by commas; of more than `most` the first, and how many there are."""
    shown = printable(", ".join(names[:most]))
    return shown if len(names) <= most else f"{shown} and {len(names) - most:,} more"


def _what(mode: int) -> str:
    kinds = (
        (stat.S_ISDIR, "folder"),
        (stat.S_ISFIFO, "pipe"),
        (stat.S_ISSOCK, "socket"),
    )
    return next((name for is_kind, name in kinds if is_kind(mode)), "device")
