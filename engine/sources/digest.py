"""What tells one image source from another when a run is resumed: a SHA-256, cheap to compute."""

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.files import file_digest

_CONTENT_LIMIT = 10**9


def of_files(files: Sequence[Path]) -> str:
    """The hex SHA-256 of the files' bytes, one after the other (for one file: what `sha256sum`
    prints); from 1 GB in total on, of their names and sizes. Folders do not enter."""
    sizes = list(map(size, files))
    if sum(sizes) >= _CONTENT_LIMIT:
        return of_listing((file.name, str(size)) for file, size in zip(files, sizes, strict=True))
    try:
        return file_digest(*files)
    except OSError as error:
        raise _unreadable(error.filename, error) from None


def size(file: Path) -> int:
    """The length of a file in bytes; raises InputError where there is none (a dangling link)."""
    try:
        return file.stat().st_size
    except OSError as error:
        raise _unreadable(file, error) from None


def of_listing(entries: Iterable[tuple[str, ...]]) -> str:
    """The hex SHA-256 of tuples of names, sizes and labels, in their order."""
    sha256 = hashlib.sha256()
    for entry in entries:
        # Names of files need not be Unicode, and hold no NUL.
        sha256.update("\0".join(entry).encode("utf-8", "surrogateescape") + b"\0\n")
    return sha256.hexdigest()


def _unreadable(file: object, error: OSError) -> InputError:
    return InputError(
        f"{file}: cannot be read ({error.strerror}): expected the image source to stay as it was "
        "opened; check the file"
    )
