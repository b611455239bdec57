"""Joining the logs of shards into the log one process would have written."""

import contextlib
import hashlib
import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import count, islice
from operator import attrgetter
from pathlib import Path
from typing import Any

from smoothcert.engine.base.doing import doing, each_of
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.files import replacing, sweep
from smoothcert.engine.base.outputs import check_output
from smoothcert.engine.base.regular import open_regular
from smoothcert.engine.log.log_rows import LoggedRow, rows_in
from smoothcert.engine.log.manifest import (
    FINISHED,
    differences,
    manifest_path,
    manifest_text,
    read_manifest,
    row_independence,
)
from smoothcert.engine.log.manifest_schema import Purpose
from smoothcert.engine.log.row_rules import RowRules
from smoothcert.engine.log.rows import columns_of, header_of

_OPEN = 200
"""Shards that are read side by side; a process may open few files, so more are read whole."""

_NAMED = 5
"""Shards that are missing, of which the message names so many."""


@dataclass(frozen=True)
class Merged:
    """What a merge did: the rows of its log, and whether all of it was there already."""

    rows: int
    was_there: bool


def merge_shards(out: Path, shards: list[Path]) -> Merged:
    """Write the union of complete shard logs to `out`, with a manifest.

    The shards must be all k of one run: manifests that agree in everything but the shard, each
    shard once, each complete, no row missing or twice, and each row one that the run may have
    written (row_rules.py). Costs time by their rows, and memory by their number. Raises InputError
    otherwise, and where something is at `out` or its manifest already that is not, byte for byte,
    what would be written there: a merge that was killed goes on. Nothing is then written.
    """
    if not shards:
        raise InputError("no shard was given: expected the logs of all shards")
    files = [*shards, *map(manifest_path, shards)]
    for path in (out, manifest_path(out)):
        check_output(path, replace=True, inputs=files)
    manifests = [read_manifest(path, Purpose.MERGE) for path in shards]
    _check_one_run(shards, manifests)
    rules = _rules(shards, manifests)
    total = sum(len(each.selected) for each in rules)
    rows, digests = 0, []
    with doing("checking rows", total) as step:
        for path, manifest, each in zip(shards, manifests, rules, strict=True):
            digest = hashlib.sha256()
            for row in _checked_rows(path, manifest["run"], each):
                digest.update(row.line)
                rows += 1
                step(rows)
            digests.append(digest.hexdigest())
    about = manifest_text(_merged(manifests, rows)).encode()
    header = header_of(columns_of(manifests[0]["run"])).encode()
    there = [
        _is_there(manifest_path(out), iter([about])),
        _is_there(out, _joined(header, shards, manifests, digests)),
    ]
    try:
        with contextlib.ExitStack() as written:
            if not there[0]:
                with replacing(manifest_path(out), new=True) as file:
                    file.write(about)
                written.callback(manifest_path(out).unlink)
            if not there[1]:
                with replacing(out, new=True) as file:
                    lines = _joined(header, shards, manifests, digests)
                    file.writelines(each_of(lines, "writing rows", rows + 1))
            written.pop_all()
    except FileExistsError as error:  # since a moment ago
        raise InputError(f"{error.filename} exists already: expected a new file") from None
    for path in (out, manifest_path(out)):
        sweep(path)
    return Merged(rows, all(there))


def _rules(shards: list[Path], manifests: list[dict[str, Any]]) -> list[RowRules]:
    """Of each shard; its procedure is that of all."""
    rules: list[RowRules] = []
    for path, manifest in zip(shards, manifests, strict=True):
        run = manifest["run"]
        try:
            rules.append(rules[0].of_another_shard(run) if rules else RowRules.of_run(run))
        except InputError as error:
            raise InputError(f"{manifest_path(path)}: {error}") from None
    return rules


def _check_one_run(shards: list[Path], manifests: list[dict[str, Any]]) -> None:
    """Raise InputError unless these are the manifests of all shards of one run, each complete."""
    first = _without_shard(manifests[0]["run"])
    seen: dict[int, Path] = {}
    for path, manifest in zip(shards, manifests, strict=True):
        found = differences(first, _without_shard(manifest["run"]))
        if found:
            raise InputError(
                f"{path} is of another run than {shards[0]}: "
                f"{'; '.join(found).replace('(log)', '(first)').replace('(asked)', '(this)')}"
            )
        shard = manifest["run"]["selection"]["shard"]
        if shard in seen:
            raise InputError(f"{path} and {seen[shard]} are both shard {shard}: expected each once")
        seen[shard] = path
        if failed := manifest.get("failed"):
            raise InputError(
                f"{path} lacks {len(failed)} images that could not be certified (image "
                f"{failed[0]['idx']}: {failed[0]['reason']}): expected a row for each; repair them "
                "and run that shard again"
            )
        if manifest.get("status") not in FINISHED:
            raise InputError(f"{path} is not complete: expected a finished run; resume it first")
    number = manifests[0]["run"]["selection"]["shards"]
    missing = number - len(seen)
    if missing > 0:
        absent = islice((i for i in count() if i not in seen), min(missing, _NAMED))
        names = ", ".join(map(str, absent))
        more = f" and {missing - _NAMED} more" if missing > _NAMED else ""
        raise InputError(
            f"shards {names}{more} of {number} are missing: expected the logs of all shards"
        )


def _without_shard(run: dict[str, Any]) -> dict[str, Any]:
    selection = {k: v for k, v in run["selection"].items() if k != "shard"}
    return {**run, "selection": selection}


def _merged(manifests: list[dict[str, Any]], rows: int) -> dict[str, Any]:
    """The manifest of the run as one process would have carried it out."""
    run = manifests[0]["run"]
    selection = {**run["selection"], "shard": 0, "shards": 1}
    statuses = {manifest["status"] for manifest in manifests}
    sessions = [session for manifest in manifests for session in manifest["sessions"]]
    merged: dict[str, Any] = {
        "run": {**run, "selection": selection},
        "status": "complete" if statuses == {"complete"} else "undecided",
        "sessions": sessions,
        "images": rows,
    }
    if known := row_independence(run, sessions):
        merged["row_independence"] = known
    return merged


def _checked_rows(path: Path, run: dict[str, Any], rules: RowRules) -> Iterator[LoggedRow]:
    """The rows of a shard, which must be exactly those its selection names."""
    expected = rules.selected
    found, lost = 0, None
    for row in _rows(path, run, rules):
        if lost is None and row.index != expected[found]:
            lost = expected[found]
        found += 1
        yield row
    if found < len(expected):
        lost = expected[found] if lost is None else lost
        raise InputError(
            f"{path} lacks image {lost} ({len(expected) - found} in all): resume that shard"
        )


def _rows(path: Path, run: dict[str, Any], rules: RowRules | None = None) -> Iterator[LoggedRow]:
    with open_regular(path, "a log", "shard") as file:
        yield from rows_in(path, file, run, rules, ascending=True)


def _same_rows(path: Path, run: dict[str, Any], checked: str) -> Iterator[LoggedRow]:
    """The rows of a shard once more, of the digest of those that were checked."""
    digest = hashlib.sha256()
    for row in _rows(path, run):
        digest.update(row.line)
        yield row
    if digest.hexdigest() != checked:
        raise InputError(
            f"{path} has changed since it was checked: expected the log of a finished run; wait "
            "for its writer, and merge again"
        )


def _joined(
    header: bytes, shards: list[Path], manifests: list[dict[str, Any]], digests: list[str]
) -> Iterator[bytes]:
    """The lines of the log, in the order of a finished run."""
    yield header
    logs: list[Iterable[LoggedRow]] = []
    for path, manifest, digest in zip(shards, manifests, digests, strict=True):
        rows = _same_rows(path, manifest["run"], digest)
        logs.append(rows if len(logs) < _OPEN else list(rows))
    for row in heapq.merge(*logs, key=attrgetter("certificate.order")):
        yield row.line


def _is_there(path: Path, lines: Iterator[bytes]) -> bool:
    """Whether a file is there, which must then be of these bytes."""
    with contextlib.ExitStack() as held:
        try:
            path.lstat()
        except FileNotFoundError:
            return False
        file = held.enter_context(open_regular(path, "what this merge writes", "output"))
        same = all(file.read(len(line)) == line for line in lines) and not file.read(1)
    if not same:
        raise InputError(
            f"{path} exists already, and holds something else than this merge would write: "
            "expected a new file; remove it, or choose another"
        )
    return True
