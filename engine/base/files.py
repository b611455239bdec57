"""Files: the user's cache folder (what can be computed again, kept so that it need not be), files
written whole, and their digests."""

import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from smoothcert.engine.base.errors import InputError

_MOST_OF_A_NAME = 80


def cache_folder(name: str) -> Path:
    """The subfolder `name` of the user's smoothcert cache, created private to the user.

    SMOOTHCERT_CACHE overrides the place. Raises InputError where it cannot be made.
    """
    folder = Path(os.environ.get("SMOOTHCERT_CACHE") or _users_own()) / name
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
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


def _users_own() -> str:
    import platformdirs  # where the place is given, it need not be there

    return platformdirs.user_cache_dir("smoothcert")


def write_atomically(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Write a file so that a reader (or a crash) sees the old content or the new, never a part."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(mode)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def file_digest(*paths: Path) -> str:
    """SHA-256, in hex, of the files' bytes one after the other."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()
