"""From the bytes of a manifest to entries of known types: anyone may have written them."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import msgspec

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.regular import read_regular
from smoothcert.engine.base.wording import printable, shown
from smoothcert.engine.log.manifest_schema import LARGEST, REQUIRED, Manifest, Purpose

MOST_BYTES = 2**26
"""Of a manifest: room for some millions of images that were chosen one by one."""

MOST_VALUES = 2**21
"""Values of a manifest: each takes far more memory, and time, than its bytes."""

DEEPEST = 32
"""Objects and lists within each other; a run writes seven."""

_DIGITS = 20
_EDITED = "was it edited?"


class _Odd:
    """Something in the place of a value that no manifest has, until it is known where it stands."""

    def __init__(self, found: str, expected: str) -> None:
        self.found = found
        self.expected = expected


def parse(content: bytes, path: Path, purpose: Purpose) -> dict[str, Any]:
    """The entries of the manifest at `path`, of the types that manifest_schema.py says, those that
    `purpose` needs among them.

    Raises InputError, in one line that names the file and the entry, for anything else: text that
    is no JSON object, entries that stand twice, whole numbers of more than 64 bits, numbers that
    are none or not finite, halves of characters, objects that are nested too deep, and more than
    MOST_VALUES values.
    """
    if _has_too_many(content):
        raise InputError(f"{_refusal(path)} (it has more than {MOST_VALUES:,} values); {_EDITED}")
    try:
        text = content.decode("utf-8")
        found = json.loads(
            text,
            object_pairs_hook=_object,
            parse_int=_whole,
            parse_float=_real,
            parse_constant=lambda word: _Odd(word, "a number"),
        )
    except RecursionError:
        raise InputError(f"{_refusal(path)} (it is nested too deep): expected JSON") from None
    except ValueError as error:
        raise InputError(f"{_refusal(path)} ({_why(error)}): expected JSON") from None
    if isinstance(found, _Odd):
        raise InputError(f"{printable(path)} has {found.found}: expected {found.expected}")
    if not isinstance(found, dict):
        raise InputError(
            f"{printable(path)} is no manifest (it holds {shown(found)}): expected a JSON object"
        )
    for name, odd in _oddities(found):
        _refuse(path, name, odd.found, odd.expected)
    try:
        msgspec.convert(found, Manifest)
    except msgspec.ValidationError as error:
        _refuse_type(path, found, str(error))
    check_required(found, path, REQUIRED[purpose], purpose.value)
    return found


def read(path: Path, purpose: Purpose) -> dict[str, Any]:
    """`parse` of a regular file of at most MOST_BYTES."""
    return parse(read_regular(path, "a manifest", most=MOST_BYTES), path, purpose)


def check_required(
    manifest: dict[str, Any], path: Path, names: tuple[str, ...], reader: str
) -> None:
    """Raise InputError unless the entries of these names, such as run.selection.skip, are there."""
    for name in names:
        place: Any = manifest
        for part in name.split("."):
            place = place.get(part)
            if place is None:
                raise InputError(
                    f"{printable(path)} has no {name}, which {reader} needs: expected a manifest "
                    f"as a run writes it; {_EDITED}"
                )


def _object(pairs: list[tuple[str, Any]]) -> Any:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    seen: set[str] = set()
    twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
    return _Odd(f"{shown(twice)} twice", "each entry once")


def _whole(digits: str) -> Any:
    value = int(digits) if len(digits) <= _DIGITS else None
    if value is None or not -LARGEST // 2 <= value < LARGEST:
        return _Odd(f"a whole number of {len(digits.lstrip('-'))} digits", "one of 64 bits")
    return value


def _real(digits: str) -> Any:
    value = float(digits)
    return value if abs(value) < float("inf") else _Odd(shown(digits)[1:-1], "a finite number")


_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)


def _has_too_many(content: bytes) -> bool:
    """Whether a text of JSON has more than MOST_VALUES values, told before they take memory."""
    if len(content) <= MOST_VALUES:
        return False
    if content.count(b'"') > 2 * MOST_VALUES:
        return True
    outside = _STRING.sub(b"", content)
    return sum(map(outside.count, (b",", b"[", b"{"))) > MOST_VALUES


def _oddities(value: Any, at: tuple[str, ...] = ()) -> Iterator[tuple[str, _Odd]]:
    """What no manifest has, and where; in the order of the file."""
    if isinstance(value, _Odd):
        yield "".join(at), value
    elif isinstance(value, str):
        if not _is_text(value):
            yield "".join(at), _Odd(shown(value), "text in Unicode")
    elif isinstance(value, dict | list) and len(at) == DEEPEST:
        yield "".join(at), _Odd("more within it", f"at most {DEEPEST} objects within each other")
    elif isinstance(value, dict):
        for key, entry in value.items():
            if not _is_text(key):
                yield "".join(at), _Odd(f"an entry {shown(key)}", "names in Unicode")
            yield from _oddities(entry, (*at, f".{key}" if at else key))
    elif isinstance(value, list):
        for place, entry in enumerate(value):
            if isinstance(entry, _Odd | str | dict | list):
                yield from _oddities(entry, (*at, f"[{place}]"))


def _is_text(value: str) -> bool:
    """Whether a text is of whole characters: JSON can say half of one."""
    if value.isascii():
        return True
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


_TYPES = {
    "int": "a whole number",
    "float": "a number",
    "str": "a text",
    "bool": "true or false",
    "object": "an object",
    "array": "a list",
    "null": "null",
}
_STEP = re.compile(r"\.(\w+)|\[(\d+)\]")


def _refuse_type(path: Path, found: dict[str, Any], error: str) -> NoReturn:
    """Raise the InputError of an entry that msgspec refuses, in its words where there are no better
    ones."""
    said, _, place = error.partition(" - at `$")
    place, of_all, _ = place.rstrip("`").partition("[...]")
    name, value = place.lstrip("."), found
    for part in _STEP.finditer(place):
        value = value[part[1]] if part[1] else value[int(part[2])]  # type: ignore[index]
    lacking = re.search(r"required field `(\w+)`", said)
    if lacking:
        _refuse(path, name, shown(value), f"an object with {lacking[1]}")
    expected = said.removeprefix("Expected ").partition(", got ")[0]
    words = re.sub(r"`([^`]+)`", lambda match: _spelled(match[1]), expected)
    _refuse(
        path, name, shown(value), f"an object, each of its entries {words}" if of_all else words
    )


def _spelled(types: str) -> str:
    return " or ".join(_TYPES.get(each, each) for each in types.split(" | "))


def _refuse(path: Path, name: str, found: str, expected: str) -> NoReturn:
    where = f"{shown(name, 200)[1:-1]} " if name else ""
    raise InputError(f"{printable(path)} has {where}{found}: expected {expected}; {_EDITED}")


def _refusal(path: Path) -> str:
    return f"{printable(path)} cannot be read as a manifest"


def _why(error: ValueError) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start} is no UTF-8"
    return printable(error)[:200]
