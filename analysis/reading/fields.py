"""The fields of a log as columns, each field checked; what is refused is named with its line."""

import math
import re
from pathlib import Path

import numpy as np
import numpy.typing as npt

from smoothcert.engine.base.errors import InputError

# Python's own int() and float() also admit spaces, underscores and other scripts' digits.
_INTEGER = re.compile(r"-?[0-9]{1,18}")
_DECIMAL = re.compile(r"[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]{1,3})?")

Columns = dict[str, list[str]]
"""Fields of consecutive rows, by column; the first row is line 2 of the file."""


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


def split_columns(path: Path, lines: list[str]) -> Columns:
    """The fields of the rows by column; lines[0] is the header. Raises InputError where a row has
    another number of fields than the header, or the header repeats a name."""
    names = lines[0].split("\t")
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"{path} has two columns {shown(name)}: expected each once")
    rows = [line.split("\t") for line in lines[1:]]
    for number, row in enumerate(rows, start=2):
        if len(row) != len(names):
            raise InputError(f"{path} line {number} has {len(row)} fields: expected {len(names)}")
    return {name: [row[position] for row in rows] for position, name in enumerate(names)}


def integers(
    path: Path, columns: Columns, name: str, least: int, most: int | None = None
) -> npt.NDArray[np.int64]:
    """The column `name`, int64 [rows]; raises InputError naming the line that is no integer from
    `least` to `most`."""
    values = []
    for number, text in enumerate(columns[name], start=2):
        value = int(text) if _INTEGER.fullmatch(text) else least - 1
        if value < least or (most is not None and value > most):
            raise InputError(
                f"{path} line {number} has {name} {shown(text)}: expected an integer of at least "
                f"{least}" + ("" if most is None else f" and at most {most}")
            )
        values.append(value)
    return np.array(values, np.int64)


def decimals(path: Path, columns: Columns, name: str) -> npt.NDArray[np.float64]:
    """The column `name`, float64 [rows] (of `time`: in seconds); raises InputError naming the line
    that is no finite number of at least 0."""
    parse = parse_time if name == "time" else _parse_decimal
    values = []
    for number, text in enumerate(columns[name], start=2):
        try:
            value = parse(text)
        except (ValueError, OverflowError):
            value = -1.0
        if not 0.0 <= value < math.inf:
            raise InputError(
                f"{path} line {number} has {name} {shown(text)}: expected a number of at least 0"
            )
        values.append(value)
    return np.array(values, np.float64)


def _parse_decimal(text: str) -> float:
    if not _DECIMAL.fullmatch(text):
        raise ValueError(text)
    return float(text)
