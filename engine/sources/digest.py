"""What tells one image source from another when a run is resumed: a SHA-256, cheap to compute."""

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from smoothcert.engine.base.doing import doing
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.files import file_digest
from smoothcert.engine.base.wording import printable

_CONTENT_LIMIT = 10**9
_SOURCE = "the image source to stay as it was opened"


def of_files(files: Sequence[Path]) -> str:
    """The hex SHA-256 of the files' bytes, one after the other (for one file: what `sha256sum`
    prints); from 1 GB in total on, of their names and sizes. Folders do not enter."""
    sizes = list(map(size, files))
    if sum(sizes) >= _CONTENT_LIMIT:
        return of_listing((file.name, str(size)) for file, size in zip(files, sizes, strict=True))
    with doing("reading the files of the images, to know them again"):
        return file_digest(*files, expected=_SOURCE)


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
        sha256.update(_bytes("\0".join(entry)) + b"\0\n")
    return sha256.hexdigest()


def _bytes(text: str) -> bytes:
    """Names of files need not be Unicode, and hold no NUL; those that archives hold may have what
    no file's name has."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def _unreadable(file: object, error: OSError) -> InputError:
    return InputError(
        f"{printable(file)}: cannot be read ({error.strerror}): expected {_SOURCE}; check the file"
    )
