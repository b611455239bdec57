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
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.files import write_atomically
from smoothcert.engine.statistics.procedures import Transfer

COLUMNS = (
    "idx",
    "label",
    "predict",
    "radius",
    "correct",
    "time",
    "count",
    "n",
    "n0",
    "drawn",
    "covers",
)
HEADER = "\t".join(COLUMNS) + "\n"

TRANSFER_COLUMNS = (
    "predict_transfer",
    "radius_transfer",
    "covers_transfer",
    "losses",
    "n_zeta",
    "zeta_upper",
)
"""Further columns of a run that transfers its certificates to a reference model."""

_SYNC_SECONDS = 1.0


def columns_of(run: Mapping[str, Any]) -> tuple[str, ...]:
    """The columns of a run's log."""
    return COLUMNS + TRANSFER_COLUMNS if "n_zeta" in run else COLUMNS


@dataclass(frozen=True)
class Certificate:
    """One row: `count` of `n` estimation samples carry the radius, `n0` selected the class, and
    `drawn` samples were used altogether. `covers` is the integer claim: every 8-bit image whose
    squared pixel differences sum to at most this is classified the same; 0 on abstention."""

    idx: int
    label: int
    predict: int
    radius: float
    seconds: float
    count: int
    n: int
    n0: int
    drawn: int
    covers: int
    transfer: Transfer | None = None

    def line(self) -> str:
        """The row as text; the radius is a multiple of 1e-6, so printing cannot raise it."""
        fields: tuple[object, ...] = (
            self.idx,
            self.label,
            self.predict,
            f"{self.radius:.6f}",
            int(self.predict == self.label),
            format_time(self.seconds),
            self.count,
            self.n,
            self.n0,
            self.drawn,
            self.covers,
        )
        if self.transfer is not None:
            fields += self.transfer.fields()
        return "\t".join(map(str, fields)) + "\n"


def format_time(seconds: float) -> str:
    """h:mm:ss.ffffff, as the original code prints a timedelta."""
    micro = round(seconds * 1e6)
    minutes, micro = divmod(micro, 60_000_000)
    return f"{minutes // 60}:{minutes % 60:02d}:{micro // 10**6:02d}.{micro % 10**6:06d}"


def manifest_path(log: Path) -> Path:
    """OUT.tsv.json beside OUT.tsv."""
    return log.with_name(log.name + ".json")


def read_manifest(log: Path) -> dict[str, Any]:
    """The manifest of a log; raises InputError where it is missing or damaged."""
    path = manifest_path(log)
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path} does not exist: expected the manifest of {log}") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read as a manifest ({error}): expected JSON") from None
    if not isinstance(manifest, dict) or not isinstance(manifest.get("run"), dict):
        raise InputError(f"{path} is no manifest of a run: expected a JSON object with `run`")
    return manifest


def differences(logged: Mapping[str, Any], asked: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Where two run descriptions differ: 'sigma 0.25 (log) against 0.5 (asked)'."""
    found = []
    for key in sorted({*logged, *asked}):
        old, new = logged.get(key), asked.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            found += differences(old, new, f"{prefix}{key}.")
        elif old != new:
            found.append(f"{prefix}{key} {old} (log) against {new} (asked)")
    return found


def read_rows(path: Path, text: str, columns: tuple[str, ...] = COLUMNS) -> dict[int, str]:
    """The complete rows of a log by index; raises InputError naming the first bad line."""
    lines = text.splitlines(keepends=True)
    header = "\t".join(columns)
    if lines and lines[0] != header + "\n":
        raise InputError(
            f"{path} has the header {lines[0].rstrip()!r}: expected {header!r}; "
            "choose another output"
        )
    rows: dict[int, str] = {}
    for number, line in enumerate(lines[1:], start=2):
        index, tab, rest = line.partition("\t")
        if not (index.isdecimal() and tab) or rest.count("\t") != len(columns) - 2:
            raise InputError(f"{path} line {number} is no row of a log: {line.rstrip()[:80]!r}")
        if int(index) in rows:
            raise InputError(f"{path} line {number} repeats image {index}: expected each once")
        rows[int(index)] = line
    return rows


class Ledger:
    """The one writer of a log; a context manager.

    path     OUT.tsv
    run      what decides every byte of the log but the time column: it must equal the manifest's
    session  this process's circumstances (machine, runtime, batch), recorded beside it

    Raises InputError where the file belongs to a different run (naming the difference), is
    damaged, is being written by another process, or cannot be written.
    """

    def __init__(self, path: Path, run: dict[str, Any], session: dict[str, Any]) -> None:
        # What JSON makes of it is what a resumed run will read back.
        run = json.loads(json.dumps(run))
        self.path = path
        self._columns = columns_of(run)
        self._header = "\t".join(self._columns) + "\n"
        self._file = _open_locked(path)
        try:
            self._rows = self._recover(run)
            self._manifest = self._start_session(run, session)
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
        self._write_manifest(self._manifest)

    def append(self, certificate: Certificate) -> None:
        """Add a row: handed to the system at once (a killed process loses nothing), and synced
        to the disk every second (a power cut loses a second)."""
        line = certificate.line()
        self._rows[certificate.idx] = line
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
        self._write_manifest({**self._manifest, **ending, **summary})
        self._file.close()

    def _sync(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._synced = time.monotonic()

    def _recover(self, run: dict[str, Any]) -> dict[int, str]:
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
        self._file.seek(len(complete.encode()))
        self._file.truncate()
        return rows

    def _start_session(self, run: dict[str, Any], session: dict[str, Any]) -> dict[str, Any]:
        earlier: list[Any] = []
        if self._rows:
            with contextlib.suppress(KeyError):
                earlier = read_manifest(self.path)["sessions"]
        manifest = {"run": run, "status": "running", "sessions": [*earlier, session]}
        self._write_manifest(manifest)
        return manifest

    def _write_manifest(self, manifest: dict[str, Any]) -> None:
        text = json.dumps(manifest, indent=1, ensure_ascii=False) + "\n"
        write_atomically(manifest_path(self.path), text.encode())


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
