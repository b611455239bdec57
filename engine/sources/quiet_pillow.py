"""Pillow warns of damaged and of large photographs on stderr: what matters of it is an error."""

import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

logging.getLogger("PIL").addHandler(logging.NullHandler())  # else errors go to stderr
_lock = threading.Lock()
_inside = 0
_kept: "warnings.catch_warnings[None] | None" = None


@contextmanager
def quiet_pillow() -> Iterator[None]:
    """Nothing that Pillow warns of inside is printed or raised, in any thread.

    Filters of warnings belong to the whole process, and photographs are decoded in several threads:
    the first to enter sets the filter, and the last to leave takes it back.
    """
    global _inside, _kept
    with _lock:
        if not _inside:
            _kept = warnings.catch_warnings()
            _kept.__enter__()
            warnings.filterwarnings("ignore", module=r"PIL\.")
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if not _inside and _kept is not None:
                _kept.__exit__(None, None, None)
                _kept = None
