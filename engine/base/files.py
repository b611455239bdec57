"""Files: the user's cache folder (what can be computed again, kept so that it need not be), files
written whole, and their digests."""

import atexit
import contextlib
import errno
import fcntl
import hashlib
import json
import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.regular import regular_blocks

_MOST_OF_A_NAME = 80


def cache_folder(name: str) -> Path:
    """The subfolder `name` of the user's smoothcert cache, created private to the user.

    SMOOTHCERT_CACHE overrides the place. Where that is not set and the user has no home to write
    to, it is a temporary folder that ends with this process. Raises InputError where it cannot be
    made.
    """
    given = os.environ.get("SMOOTHCERT_CACHE")
    folder = Path(given or _users_own()) / name
    try:
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError:
            if given:
                raise
            folder = _of_this_process() / name
            folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"cache folder {folder} cannot be made ({error.strerror}): "
            "set SMOOTHCERT_CACHE to a writable folder"
        ) from None
    return folder


def cache_entry(folder: str, question: Any, suffix: str, stem: str = "") -> Path:
    """Where the answer to a question is kept: a file of cache_folder(folder), by the digest of what
    JSON has of the question; `stem`, cut to 80 characters, is for people."""
    digest = hashlib.sha256(json.dumps(question, sort_keys=True).encode()).hexdigest()
    name = f"{stem[:_MOST_OF_A_NAME]}-{digest[:32]}" if stem else digest[:32]
    return cache_folder(folder) / f"{name}{suffix}"


def recalled(folder: str, question: Any) -> bytes | None:
    """What `remember` kept as the answer to a question, of whoever may have changed it since; None
    where nothing is kept, or there can be no cache."""
    try:
        return cache_entry(folder, question, ".json").read_bytes()
    except (OSError, ValueError):
        return None


def remember(folder: str, question: Any, answer: bytes) -> None:
    """Keep an answer that is quickly found again: where it cannot be kept, it is not."""
    with contextlib.suppress(OSError, ValueError):
        write_atomically(cache_entry(folder, question, ".json"), answer)


@cache
def _of_this_process() -> Path:
    folder = tempfile.TemporaryDirectory(prefix="smoothcert-")  # ends with the process
    atexit.register(folder.cleanup)
    return Path(folder.name)


def _users_own() -> str:
    import platformdirs  # where the place is given, it need not be there

    return platformdirs.user_cache_dir("smoothcert")


@contextlib.contextmanager
def replacing(path: Path, mode: int = 0o644, *, new: bool = False) -> Iterator[BinaryIO]:
    """A file to write that takes the place of `path` where the block ends well: a reader (or a
    crash) sees the old content or the new, never a part. What an earlier writer left who was killed
    here is removed.

    mode  less what the user's umask takes
    new   FileExistsError is raised where something is there by then
    Raises OSError, which names `path`, where it cannot be written; its content is then as before.
    """
    sweep(path)
    try:
        handle, name = _partial(path, mode)
        try:
            with open(handle, "wb") as file:  # noqa: PTH123 - a handle
                yield file
                file.flush()
                os.fsync(handle)
                (_put if new else os.replace)(name, path)  # still locked
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        named = isinstance(error.filename, str | bytes)
        if error.errno is None or (named and not _is_part(error.filename, path)):
            raise
        raise OSError(error.errno, error.strerror, str(path)) from None


def write_atomically(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Write a file whole or not at all: see `replacing`."""
    with replacing(path, mode) as file:
        file.write(content)


def move_atomically(source: Path, path: Path) -> None:
    """Give a file, of any file system, another place: see `replacing`."""
    with replacing(path) as file, source.open("rb") as content:
        shutil.copyfileobj(content, file)
    source.unlink()


def sweep(path: Path) -> None:
    """Remove what writers of `path` left beside it who were killed. What another one is writing now
    is locked, and stays."""
    prefix = _prefix(path)
    with contextlib.suppress(OSError), os.scandir(path.parent) as entries:
        for entry in entries:
            if entry.name.startswith(prefix) and entry.name.endswith(_PARTIAL):
                _remove_if_abandoned(entry.path)


_PARTIAL = ".part"


def _prefix(path: Path) -> str:
    """How the names of parts of a file begin; the file's own may be as long as a name can be."""
    digest = hashlib.sha256(os.fsencode(path.name)).hexdigest()[:8]
    return f".{path.name[:40]}.{digest}."


def _is_part(name: str | bytes, path: Path) -> bool:
    """Whether it is a name that nobody has asked for."""
    return Path(os.fsdecode(name)).name.startswith(_prefix(path))


def _partial(path: Path, mode: int) -> tuple[int, str]:
    """A new file beside `path`, open and locked, and its name."""
    while True:
        name = str(path.parent / f"{_prefix(path)}{secrets.token_hex(4)}{_PARTIAL}")
        try:
            # Its name is new (and no link is followed), whoever else writes to the folder.
            handle = os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        except FileExistsError:
            continue
        with contextlib.suppress(OSError):  # file systems without locks: nobody sweeps there
            fcntl.flock(handle, fcntl.LOCK_EX)
        if os.fstat(handle).st_nlink:
            return handle, name
        os.close(handle)  # swept before it was locked


def _put(name: str, path: Path) -> None:
    """Move a file to where nothing may be."""
    try:
        os.link(name, path, follow_symlinks=False)
    except OSError:
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from None
        Path(name).replace(path)  # file systems without links
    else:
        Path(name).unlink()


def _remove_if_abandoned(name: str) -> None:
    with contextlib.suppress(OSError):
        handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            found = os.fstat(handle)
            if stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid():
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                Path(name).unlink()
        finally:
            os.close(handle)


def file_digest(*paths: Path, expected: str = "a file") -> str:
    """SHA-256, in hex, of the bytes of regular files one after the other; raises InputError, which
    says what was `expected`, for what is none or cannot be read."""
    digest = hashlib.sha256()
    for path in paths:
        for block in regular_blocks(path, expected):
            digest.update(block)
    return digest.hexdigest()
