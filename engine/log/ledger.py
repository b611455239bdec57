"""The ledger: an append-only log of certificates, and the manifest that says what they certify.

The log is tab separated; its first six columns are those of the original code, so existing
analysis scripts read it. A run may be killed at any point: what was appended stays, a torn last
line is cut, and the same command goes on to the same bytes (the time column aside).
"""

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Callable, Mapping
from operator import itemgetter
from pathlib import Path
from types import TracebackType
from typing import Any

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.files import write_atomically
from smoothcert.engine.log.manifest import (
    differences,
    manifest_path,
    read_manifest,
    row_independence,
    write_manifest,
)
from smoothcert.engine.log.rows import (
    Certificate,
    check_labels,
    columns_of,
    header_of,
    read_rows,
)

_SYNC_SECONDS = 1.0


class Ledger:
    """The one writer of a log; a context manager.

    path     OUT.tsv
    run      what decides every byte of the log but the time column: it must equal the manifest's
    session  this process's circumstances (machine, runtime, batch), recorded beside it
    earlier  (attribute) the sessions of the log that is resumed
    check    is given the label and the digest of the pixels of each row that is there already, by
             image, before anything is written; it raises what forbids to go on

    Raises InputError where the file belongs to a different run (naming the difference), is
    damaged, is being written by another process, or cannot be written.
    """

    def __init__(
        self,
        path: Path,
        run: dict[str, Any],
        session: dict[str, Any],
        check: Callable[[Mapping[int, tuple[str, str]]], None] | None = None,
    ) -> None:
        # What JSON makes of it is what a resumed run will read back.
        run = json.loads(json.dumps(run))
        self.path = path
        self._columns = columns_of(run)
        self._header = header_of(self._columns)
        self._file = _open_locked(path)
        try:
            self._rows = self._recover(run, check)
            self.earlier = self._sessions()
            self._own = len(self.earlier)
            sessions = [*self.earlier, dict(session)]
            self._manifest: dict[str, Any] = {
                "run": run,
                "status": "running",
                "sessions": sessions,
            }
            self._write_manifest()
            if self._file.tell() == 0:  # after the manifest: a log without one is nobody's
                self._file.write(self._header)
                self._file.flush()
        except BaseException:
            self._file.close()
            raise
        self._synced = time.monotonic()

    def __enter__(self) -> "Ledger":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self._file.closed:
            self._sync()
            self._file.close()

    @property
    def done(self) -> frozenset[int]:
        """The images that have a row."""
        return frozenset(self._rows)

    def add_session(self, session: dict[str, Any]) -> None:
        """Record one more kind of machine that takes part."""
        self._manifest["sessions"].append(session)
        self._write_manifest()

    def note(self, **entries: Any) -> None:
        """Record more of the session that began with this ledger."""
        self._manifest["sessions"][self._own].update(entries)
        self._write_manifest()

    def _write_manifest(self) -> None:
        known = row_independence(self._manifest["run"], self._manifest["sessions"])
        if known is not None:
            self._manifest["row_independence"] = known
        write_manifest(self.path, self._manifest)

    def append(self, certificate: Certificate) -> None:
        """Add a row: handed to the system at once (a killed process loses nothing), and synced
        to the disk every second (a power cut loses a second)."""
        line = certificate.line()
        self._rows[certificate.index] = line
        self._file.write(line)
        self._file.flush()
        if time.monotonic() - self._synced > _SYNC_SECONDS:
            self._sync()

    def finish(self, summary: dict[str, Any], failed: Mapping[int, str] | None = None) -> None:
        """Close a run: rows in index order, and `summary` in the manifest.

        failed  why an image has no row, by index; a log that lacks some is `partial`, not complete
        """
        self._sync()
        if list(self._rows) != sorted(self._rows):
            ordered = self._header + "".join(self._rows[i] for i in sorted(self._rows))
            write_atomically(self.path, ordered.encode())
        ending: dict[str, Any] = {"status": "complete"}
        if failed:
            reasons = [{"idx": index, "reason": failed[index]} for index in sorted(failed)]
            ending = {"status": "partial", "failed": reasons}
        write_manifest(self.path, {**self._manifest, **ending, **summary})
        self._file.close()

    def _sync(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._synced = time.monotonic()

    def _recover(
        self, run: dict[str, Any], check: Callable[[Mapping[int, tuple[str, str]]], None] | None
    ) -> dict[int, str]:
        """Check that the log is this run's, cut a torn last line, and return its rows."""
        self._file.seek(0)
        content = self._file.read()
        if content and not manifest_path(self.path).exists():
            raise InputError(
                f"{self.path} exists and has no manifest beside it: expected a new file or a log "
                "of this command; choose another output"
            )
        if content:
            found = differences(read_manifest(self.path)["run"], run)
            if found:
                raise InputError(
                    f"{self.path} was made by a different command: {'; '.join(found)}; "
                    "choose another output, or the same options to resume"
                )
        complete = content[: content.rfind("\n") + 1]
        rows = read_rows(self.path, complete, self._columns)
        check_labels(self.path, rows, self._columns, run)
        if rows and check is not None:
            of_image = itemgetter(self._columns.index("label"), self._columns.index("pixels"))
            check({index: of_image(line.rstrip("\n").split("\t")) for index, line in rows.items()})
        self._file.seek(len(complete.encode()))
        self._file.truncate()
        return rows

    def _sessions(self) -> list[Any]:
        """Those of the log that is resumed."""
        if self._rows:
            with contextlib.suppress(KeyError):
                return list(read_manifest(self.path)["sessions"])
        return []


def _open_locked(path: Path) -> Any:
    """Open for reading and writing, created if absent, under an exclusive lock."""
    while True:
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise InputError(
                f"{path} cannot be written ({error.strerror}): expected a path in a writable folder"
            ) from None
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(handle)
            raise InputError(
                f"{path} is being written by another process: expected one writer; wait for it, "
                "or choose another output"
            ) from None
        # A finishing writer replaces the file; a lock on the replaced one would guard nothing.
        try:
            current = path.stat().st_ino == os.fstat(handle).st_ino
        except FileNotFoundError:
            current = False
        if current:
            return os.fdopen(handle, "r+", encoding="utf-8", newline="")
        os.close(handle)
