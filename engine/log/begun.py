"""A log that was begun: whether a run is the one that may go on with it, and from where."""

import io
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from smoothcert.engine.base.doing import doing
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.memory import check_fits
from smoothcert.engine.log.log_file import LogFile, check_log
from smoothcert.engine.log.log_rows import LoggedRow, check_header, rows_in
from smoothcert.engine.log.manifest import differences, manifest_path, read_manifest
from smoothcert.engine.log.row_rules import RowRules
from smoothcert.engine.log.rows import columns_of, header_of

CheckPixels = Callable[[Mapping[int, tuple[str, str]]], None]
"""Is given the label and the digest of the pixels of each row that is there, by image; raises what
forbids to go on."""


@dataclass(frozen=True)
class Begun:
    """What of a log stays: its manifest (empty where there is none), the rows that decide all they
    were asked, and the bytes that the header and these take."""

    manifest: dict[str, Any]
    rows: list[LoggedRow]
    size: int


def check_resumable(
    path: Path,
    run: dict[str, Any],
    rules: RowRules | None = None,
    check: CheckPixels | None = None,
) -> None:
    """Raise the InputError with which a Ledger would refuse the log at `path`, and change nothing;
    a log that is not there is begun."""
    run = json.loads(json.dumps(run))
    check_log(path)
    if not os.path.lexists(path):
        begun_manifest(path, run, whole=False)
        return
    log = LogFile(path)
    try:
        begun_log(path, log.file, run, rules, check)
    finally:
        log.withdraw()


def begun_log(
    path: Path,
    file: BinaryIO,
    run: dict[str, Any],
    rules: RowRules | None,
    check: CheckPixels | None,
) -> Begun:
    """Check that the log in `file` is this run's, and say what of it stays: neither a torn last
    line nor the rows that are undecided."""
    size = os.fstat(file.fileno()).st_size
    check_fits(2 * size, f"{path}, read whole,", "a log, in a smaller file")
    file.seek(0)
    content = file.read()
    manifest = begun_manifest(path, run, whole=bool(content))
    complete = content[: content.rfind(b"\n") + 1]
    header = header_of(columns_of(run)).encode()
    if not complete:
        if not header.startswith(content):
            check_header(path, content, columns_of(run))
        return Begun(manifest, [], 0)
    with doing(f"reading {path.name}, which goes on"):
        found = list(rows_in(path, io.BytesIO(complete), run, rules))
    if found and check is not None:
        check({row.index: (row.fields["label"], row.fields["pixels"]) for row in found})
    decided = [row for row in found if not row.certificate.decision.undecided]
    if decided != found[: len(decided)]:
        raise InputError(
            f"{path} has a row with undecided radii before one without: expected them "
            "after all others; was it edited? choose another output"
        )
    return Begun(manifest, decided, len(header) + sum(len(row.line) for row in decided))


def begun_manifest(log: Path, run: dict[str, Any], *, whole: bool) -> dict[str, Any]:
    """The manifest of a log that is there already, which must be this run's; empty where there is
    none.

    run    the description of the run (describe_run), as JSON gives it back
    whole  the manifest lies beside a log, not alone, as a run leaves it that is killed at its start
    Raises InputError where the log is another run's, naming the difference, or not all there.
    """
    path = manifest_path(log)
    if not os.path.lexists(path):
        if whole:
            raise InputError(
                f"{log} exists and has no manifest beside it: expected a new file or a log of this "
                "command; choose another output"
            )
        return {}
    manifest = read_manifest(log)
    if found := differences(manifest["run"], run):
        what, instead = (
            (log, "the same options to resume")
            if whole
            else (path, f"remove it where its log {log} is not to come back")
        )
        raise InputError(
            f"{what} was made by a different command: {'; '.join(found)}; choose another output, "
            f"or {instead}"
        )
    if not whole and manifest.get("status") != "running":
        raise InputError(
            f"{path} is of a finished run, and its log {log} is gone: expected both or none of "
            "them; bring it back, remove the manifest too, or choose another output"
        )
    return manifest
