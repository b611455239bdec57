"""The ledger: an append-only log of certificates, and the manifest that says what they certify.

The log is tab separated; its first six columns are those of the original code, so existing
analysis scripts read it. A run may be killed at any point: what was appended stays, a torn last
line is cut, and the same command goes on to the same bytes (the time column aside).
"""

import json
import os
import stat
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from smoothcert.engine.base.errors import InputError, RunStoppedError, system_line
from smoothcert.engine.base.files import sweep, write_atomically
from smoothcert.engine.log.begun import CheckPixels, begun_log
from smoothcert.engine.log.log_file import LogFile, check_log
from smoothcert.engine.log.log_rows import row_of
from smoothcert.engine.log.manifest import manifest_path, row_independence, write_manifest
from smoothcert.engine.log.row_rules import RowRules
from smoothcert.engine.log.rows import Certificate, columns_of, header_of

_SYNC_SECONDS = 1.0


class Ledger:
    """The one writer of a log; a context manager.

    path     OUT.tsv
    run      what decides every byte of the log but the time column: it must equal the manifest's
    session  this process's circumstances (machine, runtime, batch), recorded beside it
    earlier  (attribute) the sessions of the log that is resumed
    rules    what a row that is there already must be, beside of its form (None: nothing more)
    check    see CheckPixels: before anything is written

    Raises InputError where the file belongs to a different run (naming the difference), is
    damaged (naming the line), is being written by another process, or may not be written: nothing
    is then changed, and nothing left behind. A run that is refused before its first row (by an
    InputError within the block) takes with it what it made. RunStoppedError, here and below, is
    raised where the system cannot write (a full disk); what is written is kept.
    """

    def __init__(
        self,
        path: Path,
        run: dict[str, Any],
        session: dict[str, Any],
        rules: RowRules | None = None,
        check: CheckPixels | None = None,
    ) -> None:
        # What JSON makes of it is what a resumed run will read back.
        run = json.loads(json.dumps(run))
        self.path = path
        self._columns = columns_of(run)
        self._header = header_of(self._columns).encode()
        check_log(path)
        self._log = LogFile(path)
        self._file = self._log.file
        self._rows: dict[int, bytes] = {}
        self._order: dict[int, tuple[bool, int]] = {}
        self._new = not os.path.lexists(manifest_path(path))
        try:
            begun = begun_log(path, self._file, run, rules, check)
            self._rows = {row.index: row.line for row in begun.rows}
            self._order = {row.index: row.certificate.order for row in begun.rows}
            self._file.seek(begun.size)
            self._file.truncate()
            self.earlier = list(begun.manifest["sessions"]) if self._rows else []
            self._own = len(self.earlier)
            sessions = [*self.earlier, dict(session)]
            self._manifest: dict[str, Any] = {
                "run": run,
                "status": "running",
                "sessions": sessions,
            }
            self._write_manifest()
            sweep(self._log.place)
            if self._file.tell() == 0:  # after the manifest: a log without one is nobody's
                self._write(self._header)
        except BaseException:
            self._take_back()
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
        if self._file.closed:
            return
        if isinstance(error, InputError) and not self._rows and self._log.made:
            self._file.seek(0)
            self._file.truncate()
            self._take_back()
            return
        try:
            self._sync()
        finally:
            self._log.close()

    def _take_back(self) -> None:
        """Close the log, and remove what was made here where the log holds nothing."""
        if self._log.withdraw() and self._new:  # in this order: a log alone is nobody's
            manifest_path(self.path).unlink(missing_ok=True)

    @property
    def done(self) -> frozenset[int]:
        """The images that have a row, and need no further samples."""
        return frozenset(self._rows)

    def certificates(self) -> Iterator[Certificate]:
        """The rows that are there, in the log's order."""
        for line in list(self._rows.values()):
            yield row_of(line, self._columns).certificate

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
        with self._written():
            write_manifest(self.path, self._manifest)

    def append(self, certificate: Certificate) -> None:
        """Add a row: handed to the system at once (a killed process loses nothing), and synced
        to the disk every second (a power cut loses a second)."""
        line = certificate.line().encode()
        self._rows[certificate.index] = line
        self._order[certificate.index] = certificate.order
        self._write(line)
        if time.monotonic() - self._synced > _SYNC_SECONDS:
            self._sync()

    def finish(self, summary: dict[str, Any], failed: Mapping[int, str] | None = None) -> None:
        """Close a run: rows in index order, and `summary` in the manifest.

        failed  why an image has no row, by index; a log that lacks some is `partial`, not complete

        Rows that leave radii undecided come after all others, where a further budget replaces them;
        such a log is `undecided`, unless it is partial.
        """
        self._sync()
        order = sorted(self._rows, key=self._order.__getitem__)
        if list(self._rows) != order:
            ordered = b"".join(self._rows[index] for index in order)
            with self._written():
                mode = stat.S_IMODE(os.fstat(self._file.fileno()).st_mode)
                write_atomically(self._log.place, self._header + ordered, mode)
        undecided = any(last for last, _ in self._order.values())
        ending: dict[str, Any] = {"status": "undecided" if undecided else "complete"}
        if failed:
            reasons = [{"idx": index, "reason": failed[index]} for index in sorted(failed)]
            ending = {"status": "partial", "failed": reasons}
        self._manifest = {**self._manifest, **ending, **summary}
        self._write_manifest()
        self._log.close()

    def _write(self, line: bytes) -> None:
        with self._written():
            self._file.write(line)
            self._file.flush()

    def _sync(self) -> None:
        with self._written():
            os.fsync(self._file.fileno())
        self._synced = time.monotonic()

    @contextmanager
    def _written(self) -> Iterator[None]:
        """Inside, something is written; raises RunStoppedError for what the system says of it."""
        try:
            yield
        except OSError as error:
            if error.filename is None:
                error.filename = str(self.path)
            raise RunStoppedError(system_line(error)) from error
