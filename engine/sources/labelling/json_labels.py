"""Lists of labels in JSON: one value, or a value in each line."""

import json
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from smoothcert.engine.base.errors import InputError, one_line
from smoothcert.engine.sources.given_files import printable

_FORM = 'expected JSON such as {"a.jpg": 3}, or pairs or objects of a name and a class'


def is_json(text: str) -> bool:
    """Whether a list is JSON and no lines of names."""
    return text.lstrip().startswith(("{", "["))


def named_labels(
    path: Path, text: str, names: Collection[str], classes: Collection[str]
) -> Iterator[tuple[int, str, str]]:
    """The entries of a list: place from 1, name and class.

    An object from names to classes, or an array (also under `labels`) or lines of pairs, or of
    objects whose first field among `names` is the name, and among `classes` the class. Raises
    InputError for anything else.
    """
    entries = _entries(path, text)
    if not entries:
        raise InputError(f"{printable(path)}: holds no labels: {_FORM}")
    for number, entry in enumerate(entries, start=1):
        name, label = _pair(entry, names, classes)
        if not isinstance(name, str) or type(label) not in (int, str) or label == "":
            raise InputError(
                f"{printable(path)}: its entry {number} is {one_line(json.dumps(entry), 60)}: "
                f"{_FORM}"
            )
        yield number, name, str(label)


def _entries(path: Path, text: str) -> list[Any]:
    lines = text.strip().splitlines()
    try:
        try:
            content = json.loads(text)
        except ValueError:
            if len(lines) < 2:
                raise
            return [json.loads(line) for line in lines]
    except (ValueError, RecursionError) as error:
        raise InputError(f"{printable(path)}: is not JSON ({one_line(error)}): {_FORM}") from None
    if isinstance(content, dict) and isinstance(content.get("labels"), list | dict):
        content = content["labels"]
    if isinstance(content, dict) and len(lines) == 1 and "file_name" in content:
        return [content]  # lines, of which there is one
    return list(content.items()) if isinstance(content, dict) else list(content)


def _pair(entry: Any, names: Collection[str], classes: Collection[str]) -> tuple[Any, Any]:
    """Name and class of an entry; None for what it lacks."""
    if isinstance(entry, dict):
        keys = [key for key in entry if key.lower() in names]
        labels = [key for key in entry if key.lower() in classes]
        return entry[keys[0]] if keys else None, entry[labels[0]] if labels else None
    if isinstance(entry, list | tuple) and len(entry) == 2:
        return entry[0], entry[1]
    return None, None
