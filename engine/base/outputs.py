"""Where a command writes: asked before it works, so that it is refused with nothing lost and
nothing left behind."""

import os
import stat
from collections.abc import Iterable
from pathlib import Path

from smoothcert.engine.base.errors import InputError

_EFFECTIVE = os.access in os.supports_effective_ids

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
)


def check_output(
    path: Path,
    what: str = "output",
    *,
    replace: bool = False,
    inputs: Iterable[str | Path | None] = (),
    choice: str = "choose another",
) -> None:
    """Raise InputError unless a file can be written at `path` without loss: in a folder that is
    there and may be written to, where nothing is, or with `replace` a regular file.

    what    names it in messages
    inputs  what the command reads (None: nothing), which it must not write over, by whatever names
            and links the two are called
    choice  what to do where a file is in the way
    """
    name = f"{what} {path}"
    check_folder(path.parent, name)
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:  # NUL, or a character that no name of a file has
        why = getattr(error, "strerror", None) or "no file has such a name"
        raise InputError(
            f"{name} cannot be written ({why}): expected a path to a new file"
        ) from None
    if stat.S_ISLNK(found.st_mode):
        try:
            found = path.stat()
        except OSError:
            raise InputError(
                f"{name} cannot be written (it is a link to a file that is not there): expected a "
                "path to a file; remove the link, or choose another"
            ) from None
    if not stat.S_ISREG(found.st_mode):
        kind = next((words for is_kind, words in _KINDS if is_kind(found.st_mode)), "a device")
        raise InputError(
            f"{name} cannot be written (it is {kind}): expected a path to a file; choose another"
        )
    for given in inputs:
        if given is not None and is_same_file(path, given):
            raise InputError(f"{name} is {given}, which this command reads: expected another file")
    if not replace:
        raise InputError(f"{name} exists already: expected a new file; {choice}")


def check_folder(folder: Path, name: str) -> None:
    """Raise InputError unless files can be made in a folder; `name` is what is to be written."""
    why = None
    if not folder.is_dir():
        why = "is no folder" if os.path.lexists(folder) else "is no folder that exists"
    elif not os.access(folder, os.W_OK | os.X_OK, effective_ids=_EFFECTIVE):
        why = "may not be written to"
    if why is not None:
        raise InputError(
            f"{name} cannot be written ({folder} {why}): expected a path in a writable folder"
        )


def is_same_file(path: Path, other: str | Path) -> bool:
    """Whether two paths lead to one file, by whatever links."""
    try:
        return path.samefile(other)
    except (OSError, ValueError):  # one of them is no path at all (a pattern, a NUL)
        return False
