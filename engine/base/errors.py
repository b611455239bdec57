"""Errors a user can act on, and optional packages, which are named when they are missing."""

import importlib
import os
from typing import Any


class InputError(ValueError):
    """Something the user gave cannot be used.

    The message is one line: what was wrong (with the value), what was expected, what to do.
    The command line prints it on stderr and exits with 2.
    """


class MissingPartError(InputError):
    """An optional package is not installed; the message names the extra that brings it."""


class DeviceUnavailableError(InputError):
    """A GPU, its driver, or what compiles kernels for it cannot be used here."""


class DeviceMemoryError(InputError):
    """A device has no room for what was asked; a smaller batch may fit."""


class RunStoppedError(RuntimeError):
    """A run cannot go on, through no fault of what the user gave; what it has written is kept.

    The message is one line. The command line prints it on stderr and exits with 1.
    """


def one_line(error: object, most: int | None = 200) -> str:
    """What an error (or a library's message) says, in one line of at most `most` characters; its
    type's name where it says nothing."""
    return " ".join(str(error).split())[:most] or type(error).__name__


def system_line(error: OSError) -> str:
    """What the system says of a file, in one line that begins with its name, where it has one."""
    if error.strerror is None:
        return one_line(error)
    if not isinstance(error.filename, str | bytes):
        return error.strerror
    return f"{os.fsdecode(error.filename)}: {error.strerror}"


def require(module: str, extra: str | None, purpose: str) -> Any:
    """Import and return the optional package `module`.

    Raises MissingPartError where it is absent, naming the `extra` of smoothcert that installs it;
    None: no extra does, it is to be installed by its own name. `purpose` completes the sentence
    "<purpose> needs <package>".
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        top = module.partition(".")[0]
        if (error.name or "").partition(".")[0] != top:
            raise
        wanted = top if extra is None else f"'smoothcert[{extra}]'"
        raise MissingPartError(
            f"{purpose} needs the package {top}, which is not installed: pip install {wanted}"
        ) from None
