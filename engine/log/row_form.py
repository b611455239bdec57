"""The form of a row: which texts its fields may be. What they say is judged in row_rules.py."""

import re
from collections.abc import Sequence
from functools import cache

_WHOLE = r"0|[1-9][0-9]{0,18}"
_CLASS = rf"-1|{_WHOLE}"
_RADIUS = r"(?:0|[1-9][0-9]{0,8})\.[0-9]{6}"
_COUNT = (_WHOLE, "a whole number")
_A_CLASS = (_CLASS, "a class, or -1")
_A_RADIUS = (_RADIUS, "a radius with six decimals")

_FORMS = {
    "idx": (r"0|[1-9][0-9]{0,9}", "an image's index"),
    "label": _A_CLASS,
    "predict": _A_CLASS,
    "radius": _A_RADIUS,
    "correct": (r"[01]", "0 or 1"),
    "time": (rf"(?:{_WHOLE}):[0-5][0-9]:[0-5][0-9]\.[0-9]{{6}}", "h:mm:ss.ffffff"),
    "count": _COUNT,
    "n": _COUNT,
    "n0": _COUNT,
    "drawn": _COUNT,
    "covers": _COUNT,
    "pixels": (r"[0-9a-f]{16}", "a digest of 16 hexadecimal digits"),
    "runner_up": _COUNT,
    "undecided": _COUNT,
    "predict_transfer": _A_CLASS,
    "radius_transfer": _A_RADIUS,
    "covers_transfer": _COUNT,
    "losses": _COUNT,
    "n_zeta": _COUNT,
    "zeta_upper": (r"[01]\.[0-9]{9}", "a probability with nine decimals"),
}
"""What a field must match, and what that is in words: numbers as they are printed, in one way."""

_INDEX = re.compile(rf"({_FORMS['idx'][0]})(?:\t|$)".encode())
_MOST = 40


class RowFormError(ValueError):
    """A line that is no row; the message says why, and names no file."""


def index_in(line: bytes) -> int | None:
    """The image that a line begins with, whatever follows; None where it begins with none."""
    match = _INDEX.match(line)
    return int(match[1]) if match else None


def fields_in(line: bytes, columns: Sequence[str]) -> dict[str, str]:
    """The fields of a line without its end, by column. Raises RowFormError unless each of them is
    as a run prints it."""
    match = _pattern(tuple(columns)).fullmatch(line)
    if match is None:
        raise RowFormError(_objection(line, columns))
    return dict(zip(columns, match[0].decode("ascii").split("\t"), strict=True))


@cache
def _pattern(columns: tuple[str, ...]) -> re.Pattern[bytes]:
    return re.compile("\t".join(f"(?:{_FORMS[name][0]})" for name in columns).encode())


def _objection(line: bytes, columns: Sequence[str]) -> str:
    """What is wrong with a line that the pattern does not match."""
    if line.endswith(b"\r"):
        return "ends with a carriage return, where lines end with a line feed alone"
    try:
        line.decode()
    except UnicodeDecodeError:
        return "is not UTF-8"
    fields = line.split(b"\t")
    if len(fields) != len(columns):
        return f"has not {len(columns)} fields"
    if index_in(line) is None:
        return "begins with no image's index"
    for name, field in zip(columns, fields, strict=True):
        form, words = _FORMS[name]
        if not re.fullmatch(form.encode(), field):
            return f"has {name} {quoted(field, _MOST)}, which is not {words}"
    raise AssertionError(line)


def quoted(text: bytes, most: int = 80) -> str:
    """Bytes of anyone's making as they are shown: at most so many, in one printable line."""
    shown = repr(text[: most + 1])[1:]
    return shown if len(text) <= most and len(shown) <= 2 * most else f"{shown[:most]}..."
