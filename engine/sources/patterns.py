"""The files a path, a brace pattern (`x-{000..009}.tar`) or a glob pattern (`x-*.tar`) names."""

import glob
import itertools
import math
import os
import re
from pathlib import Path

from smoothcert.engine.base.errors import InputError

_MAX_FILES = 100_000
_GROUP = re.compile(r"(\{[^{}]*\})")
_RANGE = re.compile(r"\{(\d{1,18})\.\.(\d{1,18})\}")


def expand(pattern: str) -> list[Path]:
    """The existing paths that `pattern` names, in brace order and sorted within a glob.

    A path that exists is itself, whatever characters it holds. Braces are the shell's: `{a,b}` and
    `{first..last}` with `first`'s zero padding. Raises InputError where a name does not exist, a
    glob matches nothing, or braces are nested or unmatched.
    """
    if not pattern:
        raise InputError("the image source is an empty path: expected a folder, file or pattern")
    if _exists(pattern):
        return [Path(pattern)]
    paths: list[Path] = []
    for name in _expand_braces(pattern):
        if _exists(name):
            found = [name]
        elif not glob.has_magic(name):
            found = []
        else:
            # Path.glob takes no absolute pattern.
            found = sorted(glob.glob(name))  # noqa: PTH207
        if not found:
            of = "" if name == pattern else f" (of the pattern {pattern})"
            raise InputError(
                f"{name}{of} does not exist: expected a folder of images, an archive, or a pattern "
                "of archives; check the path"
            )
        paths.extend(map(Path, found))
    return paths


def _exists(name: str) -> bool:
    # Path.exists raises where a name is too long or a folder is closed to us.
    return os.path.exists(name)  # noqa: PTH110


def _expand_braces(pattern: str) -> list[str]:
    options: list[list[str]] = []
    for part in _GROUP.split(pattern):
        if span := _RANGE.fullmatch(part):
            options.append(_range(*span.groups()))
        elif _GROUP.fullmatch(part) and "," in part:
            options.append(part[1:-1].split(","))
        elif "{" in part or "}" in part:
            raise InputError(
                f"{pattern} does not exist, and its braces are no pattern: expected {{a,b}} or "
                "{000..009}, not nested"
            )
        else:
            options.append([part])
        if math.prod(map(len, options)) > _MAX_FILES:
            raise InputError(
                f"{pattern} names more than {_MAX_FILES:,} files: give fewer and larger archives"
            )
    return ["".join(parts) for parts in itertools.product(*options)]


def _range(first: str, last: str) -> list[str]:
    start, stop = int(first), int(last)
    if abs(stop - start) >= _MAX_FILES:
        raise InputError(
            f"{{{first}..{last}}} names more than {_MAX_FILES:,} files: "
            "give fewer and larger archives"
        )
    padded = any(len(end) > 1 and end.startswith("0") for end in (first, last))
    width = max(len(first), len(last)) if padded else 0
    step = 1 if stop >= start else -1
    return [str(number).zfill(width) for number in range(start, stop + step, step)]
