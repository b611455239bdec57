"""Lists of labels in JSON: one value, or a value in each line."""

import json
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from smoothcert.engine.base.errors import InputError, one_line
from smoothcert.engine.base.wording import printable, shown

_FORM = 'expected JSON such as {"a.jpg": 3}, or pairs or objects of a name and a class'


def is_json(text: str) -> bool:
    """Whether a list is JSON and no lines of names."""
    return text.lstrip().startswith(("{", "["))


def named_labels(
    path: Path,
    text: str,
    names: Collection[str],
    classes: Collection[str],
    by_name: bool = False,
) -> Iterator[tuple[int, str, str]]:
    """The entries of a list: place from 1, name and class.

    An object from names to classes, or an array (also under `labels`) or lines of pairs, or of
    objects whose first text among the fields `names` is the name, and whose first integer among
    the fields `classes` is the class (first text: `by_name`, or where there is none). Raises
    InputError for anything else, and for a name that an object has twice.
    """
    entries = _entries(path, text)
    if not entries:
        raise InputError(f"{printable(path)}: holds no labels: {_FORM}")
    for number, entry in enumerate(entries, start=1):
        name, label = _pair(entry, names, classes, by_name)
        if not isinstance(name, str) or type(label) not in (int, str) or label == "":
            raise InputError(
                f"{printable(path)}: its entry {number} is {shown(entry, 60)}: {_FORM}"
            )
        yield number, name, str(label)


def _entries(path: Path, text: str) -> list[Any]:
    lines = text.strip().splitlines()
    try:
        try:
            content = json.loads(text, object_pairs_hook=_once)
        except json.JSONDecodeError:
            if len(lines) < 2:
                raise
            return [json.loads(line, object_pairs_hook=_once) for line in lines]
    except (ValueError, RecursionError) as error:
        raise InputError(f"{printable(path)}: is not JSON ({one_line(error)}): {_FORM}") from None
    if isinstance(content, dict) and isinstance(content.get("labels"), list | dict):
        content = content["labels"]
    if isinstance(content, dict) and len(lines) == 1 and "file_name" in content:
        return [content]  # lines, of which there is one
    return list(content.items()) if isinstance(content, dict) else list(content)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object, of which json would keep the last of fields with one name."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"an object has {json.dumps(name)[:80]} twice")
        found[name] = value
    return found


def _pair(
    entry: Any, names: Collection[str], classes: Collection[str], by_name: bool
) -> tuple[Any, Any]:
    """Name and class of an entry; None for what it lacks, and for classes that differ."""
    if isinstance(entry, dict):
        keys = [value for key, value in entry.items() if key.lower() in names]
        labels = [value for key, value in entry.items() if key.lower() in classes]
        indices = [label for label in labels if type(label) is int]
        texts = [label for label in labels if isinstance(label, str)]
        fitting = (texts or indices) if by_name else (indices or texts)
        ambiguous = len(set(indices)) > 1 and fitting is indices
        name = next((key for key in keys if isinstance(key, str)), None)
        return name, None if ambiguous or not fitting else fitting[0]
    if isinstance(entry, list | tuple) and len(entry) == 2:
        return entry[0], entry[1]
    return None, None
