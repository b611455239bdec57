"""Files that a user names, or that a file names: opened where they are regular files, and told in
one line where they are anything else.

A pipe without a writer, a terminal or a device may never end, or never begin: they are refused by
kind, before they are opened. What is opened is looked at again, so that nothing can take its place
in between.
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.memory import check_fits
from smoothcert.engine.base.wording import printable

_KINDS = (
    (stat.S_ISDIR, "folder"),
    (stat.S_ISFIFO, "pipe"),
    (stat.S_ISSOCK, "socket"),
)
# No file waits for a writer, is inherited by a process that is started, or becomes the terminal of
# this one. Systems that lack a flag have no such files.
_FLAGS = os.O_RDONLY
for _name in ("O_NONBLOCK", "O_CLOEXEC", "O_NOCTTY", "O_BINARY"):
    _FLAGS |= getattr(os, _name, 0)

_BLOCK = 1 << 20
_CHUNK = 1 << 24


def check_regular(path: str | Path, expected: str = "a file", what: str = "") -> int:
    """The size in bytes of the regular file at `path`, a link to one included.

    expected  what it should hold, completing "expected ..."
    what      what it is for, before its name: "model"

    For libraries that open files by name; where the bytes are wanted, `open_regular` leaves no time
    between the look and the opening. Raises InputError, in one line, for any other kind of file and
    where there is none.
    """
    with _Told(path, expected, what) as told:
        return told.size(Path(path).stat())


def open_regular(path: str | Path, expected: str = "a file", what: str = "") -> BinaryIO:
    """The regular file at `path`, open for reading; raises InputError as `check_regular` does, and
    where it may not be read."""
    with _Told(path, expected, what) as told:
        told.size(Path(path).stat())  # opening a device may do something by itself
        handle = os.open(path, _FLAGS)
        try:
            told.size(os.fstat(handle))
            return os.fdopen(handle, "rb")
        except BaseException:
            os.close(handle)
            raise


def regular_blocks(path: str | Path, expected: str = "a file", what: str = "") -> Iterator[bytes]:
    """The bytes of the regular file at `path`, block by block; raises InputError as `open_regular`
    does, and where they cannot be read."""
    with open_regular(path, expected, what) as file, _Told(path, expected, what):
        while block := file.read(_BLOCK):
            yield block


def read_regular(
    path: str | Path, expected: str = "a file", what: str = "", most: int | None = None
) -> bytes:
    """The bytes of the regular file at `path`; raises InputError as `open_regular` does, and where
    there are more than `most` (None: as many as the memory holds)."""
    with open_regular(path, expected, what) as file, _Told(path, expected, what) as told:
        size = os.fstat(file.fileno()).st_size
        if most is not None and size > most:
            raise told.refusal(f"has {size:,} bytes", f"in at most {most:,} bytes")
        check_fits(size, f"{told.named}, read whole,", f"{expected}, in a smaller file")
        # A file may grow, and some of the kernel's say nothing of their size.
        parts: list[bytes] = []
        read = 0
        while part := file.read(max(size + 1, _CHUNK)):
            parts.append(part)
            read += len(part)
            if most is not None and read > most:
                raise told.refusal(f"has more than {most:,} bytes", "in no more")
        return b"".join(parts)


class _Told:
    """Raises InputError, in one line about one path, for what goes wrong inside."""

    def __init__(self, path: str | Path, expected: str, what: str) -> None:
        self._path = path
        self.named = f"{what} {printable(path)}".lstrip()
        self.subject = self.named if what else f"{self.named}:"
        self._expected = expected

    def __enter__(self) -> "_Told":
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, FileNotFoundError):
            if Path(self._path).is_symlink():
                raise InputError(
                    f"{self.named} is a link to a file that is not there: expected "
                    f"{self._expected}; mend the link"
                ) from None
            raise InputError(
                f"{self.named} does not exist: expected {self._expected}; check the path"
            ) from None
        if isinstance(error, OSError):
            raise InputError(
                f"{self.subject} cannot be read ({error.strerror or error}): expected "
                f"{self._expected}; check the path and its permissions"
            ) from None
        if isinstance(error, MemoryError):
            raise self.refusal("does not fit in memory", "in a smaller file") from None
        if isinstance(error, ValueError) and not isinstance(error, InputError):
            # NUL, or a character that no name of a file has
            raise InputError(
                f"{self.named} is no name of a file: expected {self._expected}; check the path"
            ) from None

    def size(self, status: os.stat_result) -> int:
        """The size of a regular file; raises InputError for another."""
        if stat.S_ISREG(status.st_mode):
            return status.st_size
        kind = next((name for is_kind, name in _KINDS if is_kind(status.st_mode)), "device")
        told = f"{self.subject} cannot be read (it is a {kind}): expected {self._expected}"
        if kind == "folder":
            raise InputError(f"{told}, not a folder; name one")
        raise InputError(f"{told}, in a regular file; copy its content into one")

    def refusal(self, found: str, limit: str) -> InputError:
        """The error of a file that is too large."""
        return InputError(f"{self.named} {found}: expected {self._expected}, {limit}")
