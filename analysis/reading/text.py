"""The text of a log as whole lines, and the errors that say why there is none."""

import codecs
from pathlib import Path

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.regular import open_regular, read_regular
from smoothcert.engine.base.wording import printable

_WIDE = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)

_BEGINNING = 1 << 16
_LOG = "a certification log"


class EmptyLogError(InputError):
    """A log that is sound but holds no row: its run was cut off, or has just begun."""


def whole_lines(path: Path, finished: bool) -> tuple[list[str], str]:
    """The lines that end, without their ends, and the torn one after them ("": none).

    UTF-8, or what a mark at its beginning says (a shell of Windows writes UTF-16). Raises
    InputError for a file that cannot be read as text, and for a torn line in a log that is
    `finished`.
    """
    text = _text(path)
    *lines, torn = text.split("\n")
    if torn and finished:
        raise InputError(
            f"{printable(path)} ends within line {len(lines) + 1} though its manifest says "
            "complete: "
            "expected whole lines; restore the file, or run the same command again"
        )
    return lines, torn


def beginning(path: Path) -> list[str] | None:
    """The first lines of a file, at most 64 KiB of it, the last one torn; None where it is no
    text, or cannot be read."""
    try:
        with open_regular(path) as file:
            content = file.read(_BEGINNING)
    except (InputError, OSError):
        return None
    text = content.decode("utf-16" if content.startswith(_WIDE) else "utf-8-sig", "replace")
    return None if "\0" in text else text.splitlines()


def _text(path: Path) -> str:
    content = read_regular(path, _LOG)
    wide = content.startswith(_WIDE)
    try:
        text = content.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{printable(path)} cannot be read as text: expected {_LOG}") from None
    return text.replace("\r\n", "\n").replace("\r", "\n")
