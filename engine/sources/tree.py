"""The photographs below a folder, without what file managers and notebooks leave there."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.wording import printable
from smoothcert.engine.sources import photograph
from smoothcert.engine.sources.given_files import some_of

_NO_CLASSES = frozenset(
    {"__MACOSX", "@eaDir", "lost+found", "$RECYCLE.BIN", "System Volume Information"}
)
"""Folders that unpackers, file systems and network drives make: of macOS, Synology, ext4, Windows.
What they hold are no images of the data set, or copies of them."""


class LeftOut:
    """What was passed over in a tree: folders and photographs that are hidden (a leading dot), or
    of those that no one makes on purpose."""

    def __init__(self) -> None:
        self._folders: dict[str, int] = {}
        self._files = 0

    def folder(self, name: str) -> bool:
        """Whether a folder of this name is to be left out, which is noted."""
        out = name.startswith(".") or name in _NO_CLASSES
        if out:
            self._folders[name] = self._folders.get(name, 0) + 1
        return out

    def file(self, name: str) -> bool:
        """Whether a photograph of this name is to be left out, which is noted."""
        out = name.startswith(".")
        self._files += out
        return out

    def sentences(self) -> tuple[str, ...]:
        """What was left out, in one sentence, or none."""
        parts = []
        if self._folders:
            names = [
                name if times == 1 else f"{name} ({times} times)"
                for name, times in sorted(self._folders.items())
            ]
            parts.append(f"the folders {some_of(names)}" if len(names) > 1 else names[0])
        if self._files:
            parts.append(f"{self._files:,} hidden file{'s' * (self._files > 1)}")
        return (f"left out {' and '.join(parts)}: no classes or photographs",) if parts else ()


def is_photograph(name: str) -> bool:
    """Whether a file of this name is a photograph."""
    return name.lower().endswith(photograph.EXTENSIONS)


def photographs_below(folder: str | Path, left_out: LeftOut) -> list[str]:
    """Paths of the photographs at any depth below `folder`, in ImageFolder's order: a folder's own
    files, sorted, before those of its subfolders.

    Raises InputError for a folder that cannot be listed, which os.walk would skip: skipping would
    renumber the images. So would one that lies in itself, by a link.
    """
    return [
        os.path.join(parent, file)  # noqa: PTH118 - a Path each takes longer than the listing
        for parent, files in sorted(_walk(str(folder), left_out))
        for file in sorted(files)
        if is_photograph(file) and not left_out.file(file)
    ]


def _walk(folder: str, left_out: LeftOut) -> Iterator[tuple[str, list[str]]]:
    """Every folder of a tree with the names of its files."""
    # The real paths of a folder and of those that it was reached through.
    chains: dict[str, tuple[str, ...]] = {folder: (os.path.realpath(folder),)}
    for parent, folders, files in os.walk(folder, onerror=_unreadable, followlinks=True):
        folders[:] = [name for name in folders if not left_out.folder(name)]
        chain = chains.pop(parent)
        for name in folders:
            path = os.path.join(parent, name)  # noqa: PTH118
            chains[path] = (*chain, _real(path, chain))
        yield parent, files


def _real(path: str, chain: tuple[str, ...]) -> str:
    if not os.path.islink(path):  # noqa: PTH114
        return os.path.join(chain[-1], os.path.basename(path))  # noqa: PTH118, PTH119
    real = os.path.realpath(path)
    if any(f"{above}{os.sep}".startswith(f"{real}{os.sep}") for above in chain):
        raise InputError(
            f"{printable(path)}: is a link to a folder that it lies in, whose images would count "
            "again and again: expected a tree without such links; remove it"
        )
    return real


def _unreadable(error: OSError) -> NoReturn:
    raise InputError(
        f"{printable(error.filename)}: cannot be listed ({error.strerror}): expected a readable "
        "folder; check its permissions"
    )
