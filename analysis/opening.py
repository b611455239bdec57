"""From what a user names (files, folders, patterns) to the logs that can be read."""

import glob
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from smoothcert.analysis.log import Log, read_log
from smoothcert.analysis.reading.layout import looks_like_a_log
from smoothcert.analysis.reading.text import EmptyLogError
from smoothcert.engine.base.doing import each_of
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.log.manifest import manifest_path

_WILD = frozenset("*?[")


@dataclass(frozen=True)
class Skipped:
    """A log that was left out: the line that says why, and whether it is damaged, not empty."""

    path: Path
    why: str
    damaged: bool


@dataclass(frozen=True)
class Opened:
    """The logs in their order, those left out, and notes on the way to them."""

    logs: list[Log]
    skipped: list[Skipped]
    notes: list[str]


def open_logs(named: Sequence[Path], columns: Sequence[str] | None = None) -> Opened:
    """Read every log of `named`: files, folders and patterns such as runs/*/sigma_*.

    Of a folder those files are taken, at any depth, that look like a log (looks_like_a_log);
    hidden ones and manifests are not. A log that cannot be read is left out where there are
    others. Raises InputError for a path that does not exist or holds no log, and the log's own
    error where it is the only one.
    """
    paths, notes = _files(named, columns)
    logs, skipped = [], []
    for path in each_of(paths, "reading logs", len(paths)):
        try:
            logs.append(read_log(path, columns))
        except InputError as error:
            if len(paths) == 1:
                raise
            skipped.append(Skipped(path, str(error), not isinstance(error, EmptyLogError)))
    return Opened(logs, skipped, notes)


def _files(named: Sequence[Path], columns: Sequence[str] | None) -> tuple[list[Path], list[str]]:
    paths: list[Path] = []
    notes: list[str] = []
    for name in named:
        found = [name] if name.exists() else _matches(name)
        for path in found:
            if path.is_dir():
                inside, note = _inside(path, columns)
                notes += [note] if note else []
                known = set(paths)
                paths += [file for file in inside if file not in known]
            elif len(found) == len(named) == 1 or not _is_manifest(path):
                paths.append(path)
    if not paths:
        raise InputError(f"{named[0]} has manifests alone: expected the logs beside them")
    return paths, notes


def _matches(pattern: Path) -> list[Path]:
    """What a quoted pattern means; a path that is none does not exist."""
    found = []
    if _WILD & set(str(pattern)):
        found = sorted(Path(match) for match in glob.glob(str(pattern), recursive=True))  # noqa: PTH207
        if not found:
            raise InputError(f"{pattern} matches no file: expected certification logs")
    if not found:
        raise InputError(f"{pattern} does not exist: expected a certification log")
    return found


def _inside(folder: Path, columns: Sequence[str] | None) -> tuple[list[Path], str | None]:
    """The logs in a folder, and what is said of its other files."""
    logs: list[Path] = []
    others: list[Path] = []
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if hidden or not path.is_file() or _is_manifest(path):
            continue
        (logs if looks_like_a_log(path, columns) else others).append(path)
    if not logs:
        raise InputError(
            f"{folder} holds no log: expected files that name the columns idx, label and predict, "
            "or --columns"
        )
    if not others:
        return logs, None
    more = f" and {len(others) - 1} more" if len(others) > 1 else ""
    return logs, f"{folder}: no log, left out: {others[0].relative_to(folder)}{more}"


def _is_manifest(path: Path) -> bool:
    """Whether the file describes a log beside it."""
    log = path.with_suffix("")
    return path.suffix == ".json" and manifest_path(log) == path and log.is_file()
