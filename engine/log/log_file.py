"""The file of a log: opened to be written by one process alone, and taken back where it was refused
before it held anything."""

import contextlib
import fcntl
import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.outputs import check_folder, check_output, is_same_file
from smoothcert.engine.log.manifest import manifest_path


def check_log(path: Path, inputs: Iterable[str | Path | None] = ()) -> None:
    """Raise InputError unless a log and its manifest can be written at `path`, or are there to be
    resumed; `inputs` are what the run reads, which they must not be."""
    given = list(inputs)
    check_output(path, "log", replace=True, inputs=given)
    if path.is_symlink():  # a log is written where it is
        check_folder(Path(os.path.realpath(path)).parent, f"log {path}")
    manifest = manifest_path(path)
    check_output(manifest, "manifest", replace=True, inputs=given)
    if is_same_file(path, manifest):
        raise InputError(f"{path} and {manifest} are one file: expected two; choose another output")


class LogFile:
    """A log that is open to be read and written, in bytes, under an exclusive lock; made if absent.

    place  where it is, behind links
    made   whether it was made here
    Raises InputError where another process has it, and where it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.made = False
        while True:
            handle = self._opened()
            try:
                if not stat.S_ISREG(os.fstat(handle).st_mode):
                    raise InputError(f"{path} is no regular file: expected one, or a new path")
                _lock(handle, path)
                # A finishing writer replaces the file; a lock on the replaced one guards nothing.
                if self._is_current(handle):
                    break
            except BaseException:
                os.close(handle)
                raise
            os.close(handle)
        self.place = Path(os.path.realpath(path))
        self._process = os.getpid()
        self.file: BinaryIO = os.fdopen(handle, "r+b")

    def _opened(self) -> int:
        flags = os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK  # a pipe that has come since: no waiting
        try:
            try:
                handle = os.open(self._path, flags | os.O_CREAT | os.O_EXCL, 0o644)
                self.made = True
            except FileExistsError:
                handle = os.open(self._path, flags | os.O_CREAT, 0o644)
                self.made = False
        except OSError as error:
            raise InputError(
                f"{self._path} cannot be written ({error.strerror}): expected a path in a writable "
                "folder"
            ) from None
        return handle

    def _is_current(self, handle: int) -> bool:
        try:
            return os.path.samestat(self._path.stat(), os.fstat(handle))
        except FileNotFoundError:
            return False

    def withdraw(self) -> bool:
        """Close it, and remove it where it was made here and holds nothing; whether it did."""
        handle = self.file.fileno()
        removed = self.made and not os.fstat(handle).st_size and self._is_current(handle)
        if removed:
            self.place.unlink(missing_ok=True)
        self.close()
        return removed

    def close(self) -> None:
        """Close it, and let others write it: also where a process that was forked meanwhile (a
        loader's worker) still has it open, whose own end changes nothing here. What cannot be
        written has been said."""
        if not self.file.closed and os.getpid() == self._process:
            fcntl.flock(self.file, fcntl.LOCK_UN)
        with contextlib.suppress(OSError):
            self.file.close()


def _lock(handle: int, path: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise InputError(
            f"{path} is being written by another process: expected one writer; wait for it, or "
            "choose another output"
        ) from None
