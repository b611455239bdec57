"""Which plans may be loaded: a plan is executable code.

Two kinds are: a file that the user named on the command line, and a file of the user's own engine
cache. For the second, nobody else may have been able to put it there: the folder and all above it
are closed to others' writing, the file is a regular one, owned by the user, its name carries the
digest of what it was built from, and its content is that of its record.
"""

import os
import re
import stat
from pathlib import Path

from smoothcert.engine.backends.tensorrt.plan import PlanRecord, check_content, read_record
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.files import cache_folder
from smoothcert.engine.base.regular import read_regular
from smoothcert.engine.models.model import Model, check_file

CACHE = "engines"
_NAME = re.compile(r"[\w.+-]*-[0-9a-f]{32}\.plan")


def engine_cache() -> Path:
    """The user's engine cache, private to the user; raises InputError where it cannot be trusted.

    A folder of the user's that others may read or enter is closed to them here.
    """
    folder = cache_folder(CACHE)
    try:
        _close(folder)
        for parent in folder.resolve().parents:
            _check_parent(parent)
    except OSError as error:
        raise InputError(
            f"engine cache {folder} cannot be checked or closed to others ({error.strerror}): set "
            "SMOOTHCERT_CACHE to a folder of your own"
        ) from None
    return folder


def _close(folder: Path) -> None:
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
        raise InputError(
            f"engine cache {folder} is not a folder of yours: expected one that you own; remove "
            "it, or set SMOOTHCERT_CACHE to a folder of your own"
        )
    if stat.S_IMODE(status.st_mode) & 0o022:
        raise InputError(
            f"engine cache {folder} is writable by others (mode {_octal(status)}), and engines "
            "are executable code: empty it, then chmod 700 it"
        )
    if stat.S_IMODE(status.st_mode) & 0o077:
        folder.chmod(0o700)


def _check_parent(folder: Path) -> None:
    """Nobody else may rename what is below: a sticky folder (as /tmp) forbids that by itself."""
    status = folder.stat()
    shared = stat.S_IMODE(status.st_mode) & 0o022 and not status.st_mode & stat.S_ISVTX
    if shared or status.st_uid not in (0, os.geteuid()):
        raise InputError(
            f"folder {folder} above the engine cache is under others' control (mode "
            f"{_octal(status)}, owner {status.st_uid}), and engines are executable code: "
            "chmod go-w it, or set SMOOTHCERT_CACHE to a folder of your own"
        )


def _octal(status: os.stat_result) -> str:
    return f"{stat.S_IMODE(status.st_mode):o}"


def read_cached_plan(path: Path) -> tuple[bytes, PlanRecord]:
    """A plan of the engine cache and its record; the bytes that were checked are those returned.

    Raises InputError, saying which rule was broken, for anything that is not this user's own.
    """
    folder = engine_cache()
    if path.parent.resolve() != folder.resolve() or not _NAME.fullmatch(path.name):
        raise InputError(
            f"{path} is no engine of the cache {folder}: expected NAME-DIGEST.plan in it"
        )
    content = read_own_file(path)
    record = read_record(path)
    check_content(path, content, record)
    return content, record


def read_own_file(path: Path) -> bytes:
    """A file's bytes, if it is a regular one of the user's that nobody else may write; else raises
    InputError. What is checked is the file that was opened, not a name."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise InputError(
            f"cached engine {path} cannot be opened ({error.strerror}): expected a file of yours, "
            "no link; remove it"
        ) from None
    try:
        _check_own(path, os.fstat(handle))
        with os.fdopen(handle, "rb", closefd=False) as file:
            return file.read()
    except OSError as error:
        raise InputError(
            f"cached engine {path} cannot be read ({error.strerror}): remove it"
        ) from None
    finally:
        os.close(handle)


def _check_own(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise InputError(f"cached engine {path} is no regular file: remove it")
    if status.st_uid != os.geteuid():
        raise InputError(
            f"cached engine {path} belongs to user {status.st_uid}, not to you: remove it"
        )
    if stat.S_IMODE(status.st_mode) & 0o022:
        raise InputError(
            f"cached engine {path} is writable by others (mode {_octal(status)}): remove it"
        )


def read_plan(path: Path) -> tuple[bytes, PlanRecord]:
    """read_cached_plan for a file in the engine cache, read_named_plan for any other."""
    if path.resolve().parent == cache_folder(CACHE).resolve():
        return read_cached_plan(path)
    return read_named_plan(path)


def read_named_plan(path: Path) -> tuple[bytes, PlanRecord]:
    """A plan that the user named, and its record; naming a file is trusting it.

    Raises InputError where the plan is not the one that its record speaks of.
    """
    record = read_record(path)
    content = read_regular(path, "a TensorRT plan", "plan")
    check_content(path, content, record)
    return content, record


def open_plan(path: Path) -> Model:
    """A TensorRT plan by the record beside it; raises InputError where they do not belong together.

    Nothing of the plan is run: that is for the device backend, which checks it again.
    """
    check_file(path, "model")
    _, record = read_plan(path)
    return Model(
        path,
        record.sha256,
        record.spec,
        record.num_classes,
        record.batch,
        record.metadata(),
        record.input_scalar,
    )
