"""The fields of a log as columns, each field checked; what is refused is named with its line."""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from smoothcert.engine.base.errors import InputError

# Python's own int() and float() also admit spaces, underscores and other scripts' digits.
_INTEGER = re.compile(r"-?[0-9]{1,18}")
_DECIMAL = re.compile(r"[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]{1,3})?")

# How numpy and torch print a number that was not taken out of them: tensor(3, device='cuda:0').
_WRAPPED = re.compile(r"[\w.]*[\[(]+\s*([-+.\w]+)\s*[\])]*\s*(?:,.*)?[\])]+")
_WHOLE = re.compile(r"[-+]?[0-9]{1,18}(?:\.0*)?")
_SCIENTIFIC = re.compile(r"[-+]?[0-9]\.[0-9]+e[-+][0-9]{2}")  # as numpy.savetxt writes all numbers
_NUMBER = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]{1,3})?")
_A_NUMBER = "a number of at least 0"
_WORDS = {"correct": {"true": 1, "false": 0}, "predict": {"abstain": -1, "abstained": -1}}


@dataclass(frozen=True)
class Table:
    """The columns of a log that are read, as text.

    columns  by name, each with a field per row
    lines    the line of each row in the file, from 1
    strict   whether a field must be as we print it; else it may be as others do
    said     what was inferred, a sentence each
    """

    path: Path
    columns: dict[str, list[str]]
    lines: Sequence[int]
    strict: bool = True
    said: tuple[str, ...] = ()

    def __len__(self) -> int:
        """The number of rows."""
        return len(self.lines)


def shown(value: object) -> str:
    """A value as one short line."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def parse_time(text: str) -> float:
    """Seconds of `h:mm:ss.ffffff` (with days as a timedelta prints them), or of a plain number."""
    days, _, clock = text.rpartition(" day")
    parts = clock.lstrip("s, ").split(":")
    if len(parts) == 3:
        seconds = int(parts[0]) * 3600 + int(parts[1]) * 60 + float(parts[2])
    elif len(parts) == 1 and not days:
        seconds = float(parts[0])
    else:
        raise ValueError(text)
    seconds += int(days) * 86_400 if days else 0
    if not (math.isfinite(seconds) and seconds >= 0):
        raise ValueError(text)
    return seconds


def integers(table: Table, name: str, least: int, most: int | None = None) -> npt.NDArray[np.int64]:
    """The column `name`, int64 [rows]; raises InputError naming the line that is no integer from
    `least` to `most`.

    Unless the table is strict, 3.0, 3.0e+00 and tensor(3) are 3, and in `correct` True is 1.
    """

    def parse(text: str) -> int:
        value = int(text) if _INTEGER.fullmatch(text) else None
        if value is None and not table.strict:
            value = _whole_number(name, text)
        if value is None or value < least or (most is not None and value > most):
            raise ValueError(text)
        return value

    at_most = "" if most is None else f" and at most {most}"
    wanted = f"an integer of at least {least}{at_most}"
    return np.array(_parsed(table, name, parse, wanted), np.int64)


def _whole_number(name: str, text: str) -> int | None:
    bare = unwrapped(text)
    if _WHOLE.fullmatch(bare):
        return int(bare.partition(".")[0])
    if _SCIENTIFIC.fullmatch(bare) and float(bare).is_integer() and abs(float(bare)) < 2**53:
        return int(float(bare))
    return _WORDS.get(name, {}).get(bare.lower())


def decimals(table: Table, name: str) -> npt.NDArray[np.float64]:
    """The column `name`, float64 [rows] (of `time`: in seconds); raises InputError naming the line
    that is no finite number of at least 0."""
    parse = parse_time if name == "time" else _parse_decimal
    return np.array(_parsed(table, name, parse, _A_NUMBER), np.float64)


def loose_decimals(table: Table, name: str) -> npt.NDArray[np.float64]:
    """The column `name` as others print it, float64 [rows]: negative, and NaN where it says that
    there is none (nan, None, nothing). Errors as `decimals`."""
    return np.array(_parsed(table, name, _parse_loosely, _A_NUMBER), np.float64)


_Number = TypeVar("_Number", int, float)


def _parsed(table: Table, name: str, parse: Callable[[str], _Number], wanted: str) -> list[_Number]:
    """The column's values, one per row; each text is parsed once, for most come again and again.

    Raises InputError naming the first line whose text `parse` refuses with a ValueError."""
    texts = table.columns[name]
    values: dict[str, _Number] = {}
    for text in dict.fromkeys(texts):
        try:
            values[text] = parse(text)
        except (ValueError, OverflowError):
            line = table.lines[texts.index(text)]
            raise refused(table.path, line, name, shown(text), wanted) from None
    return [values[text] for text in texts]


def refused(path: Path, line: int, name: str, text: str, wanted: str = _A_NUMBER) -> InputError:
    """What refuses a field."""
    finite = ", and finite" if wanted == _A_NUMBER and "inf" in text.lower() else ""
    return InputError(f"{path} line {line} has {name} {text}: expected {wanted}{finite}")


def unwrapped(text: str) -> str:
    """A number without the name of the type that printed it, and without brackets."""
    match = _WRAPPED.fullmatch(text)
    return match[1] if match else text


def _parse_decimal(text: str) -> float:
    if not _DECIMAL.fullmatch(text):
        raise ValueError(text)
    return _finite(float(text))


def _parse_loosely(text: str) -> float:
    if _DECIMAL.fullmatch(text):
        return _finite(float(text))
    bare = unwrapped(text)
    if bare.lower() in ("", "nan", "none", "-inf", "-"):
        return math.nan
    if not _NUMBER.fullmatch(bare):
        raise ValueError(text)
    return _finite(float(bare)) + 0.0  # -0.0 is 0


def _finite(value: float) -> float:
    if math.isinf(value):
        raise ValueError(value)
    return value
