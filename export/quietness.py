"""Libraries that report on stdout, stderr, through warnings and logging: not to our users."""

import contextlib
import io
import logging
import os
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Nothing that is said inside reaches the user; errors are raised as they are."""
    previous = logging.root.manager.disable
    logging.disable(logging.WARNING)
    said = io.StringIO()
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(said),
            contextlib.redirect_stderr(said),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(previous)


@contextlib.contextmanager
def quiet_below() -> Iterator[None]:
    """The same for what C++ writes to the process' stdout and stderr itself."""
    with contextlib.ExitStack() as kept, Path(os.devnull).open("wb") as nothing:
        for number, stream in ((1, sys.stdout), (2, sys.stderr)):
            stream.flush()
            try:
                own = os.dup(number)
            except OSError:  # closed: nothing is written there
                continue
            kept.callback(os.close, own)
            kept.callback(os.dup2, own, number)
            os.dup2(nothing.fileno(), number)
        yield
