"""Functions compiled by numba, and where what was compiled is kept: wherever it can be, or not.

numba keeps it beside the source or in the user's home; where neither may be written (a container's
usual user), it refuses to define the function at all. Then it is kept in the cache of smoothcert,
if that is this user's own: what is loaded from there is run. Else every process compiles anew.
"""

import contextlib
import os
import stat
from collections.abc import Callable
from typing import Any

import numba

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.files import cache_folder


def compiled(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """A decorator: numba.njit with these options, and what it compiles is kept where it can be."""

    def decorate(function: Callable[..., Any]) -> Any:
        dispatcher = _kept(function, options)
        cache = getattr(dispatcher, "_cache", None)
        if hasattr(cache, "load_overload") and hasattr(cache, "save_overload"):
            dispatcher._cache = _Forgiving(cache)
        return dispatcher

    return decorate


def _kept(function: Callable[..., Any], options: dict[str, Any]) -> Any:
    try:
        return numba.njit(cache=True, **options)(function)
    except (RuntimeError, OSError):  # "no locator available"
        folder = _own_folder()
    config: Any = numba.config  # whose entries come from the environment
    before = config.CACHE_DIR
    try:
        if folder is not None:
            config.CACHE_DIR = folder
            with contextlib.suppress(RuntimeError, OSError):
                return numba.njit(cache=True, **options)(function)
    finally:
        config.CACHE_DIR = before
    return numba.njit(**options)(function)


def _own_folder() -> str | None:
    """A folder of the cache that nobody else writes to; None where there is none."""
    try:
        folder = cache_folder("compiled")
        found = folder.stat()
    except (OSError, InputError):
        return None
    others = found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    own = not hasattr(os, "geteuid") or found.st_uid == os.geteuid()
    return str(folder) if own and not others else None


class _Forgiving:
    """numba's cache of one function: an entry that cannot be read is compiled again, and one that
    cannot be written (a full disk) is not kept."""

    def __init__(self, cache: Any) -> None:
        self._cache = cache

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cache, name)

    def load_overload(self, *arguments: Any) -> Any:
        """What numba has kept; None where there is none, or it is damaged."""
        try:
            return self._cache.load_overload(*arguments)
        except Exception:  # whatever a damaged pickle raises
            return None

    def save_overload(self, *arguments: Any) -> None:
        """Keep what was compiled, where that can be."""
        try:
            self._cache.save_overload(*arguments)
        except OSError:
            return
        except Exception:  # a damaged index: a new one takes its place
            with contextlib.suppress(Exception):
                self._cache.flush()
                self._cache.save_overload(*arguments)
