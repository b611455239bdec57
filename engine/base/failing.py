"""What runtimes raise, in one line: libraries fail in ways of their own, and share no base class.

While a model is opened and probed, the model (or what was asked of it) does not fit this runtime or
machine: InputError. Once rows are certified, the same is a run that stopped: RunStoppedError, and
what was written is kept.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from smoothcert.engine.base.errors import InputError, RunStoppedError, one_line

_NO_ROOM = re.compile(
    r"bad_alloc|bad allocation|out of memory|not enough memory|can't allocate memory"
    r"|(fail\w*|unable) to allocate",
    re.IGNORECASE,
)


@contextmanager
def opening(what: str) -> Iterator[None]:
    """Inside, a model is made ready to run; `what` names it. Raises InputError for whatever fails
    there, with the error itself as its cause."""
    try:
        yield
    except InputError:
        raise
    except RunStoppedError as error:
        raise InputError(f"{what} cannot be run: {error}") from error
    except Exception as error:
        raise InputError(f"{what} cannot be run: {_told(error)}") from error


@contextmanager
def running(what: str) -> Iterator[None]:
    """Inside, a runtime works on a batch; `what` names it. Raises RunStoppedError for whatever
    fails there, and InputError as it is."""
    try:
        yield
    except (InputError, RunStoppedError):
        raise
    except Exception as error:
        raise RunStoppedError(f"{what} failed: {_told(error)}") from error


def ran_out_of_memory(error: object) -> bool:
    """Whether an error of a library means that there is no room for what it wants."""
    return isinstance(error, MemoryError) or bool(_NO_ROOM.search(str(error)))


def _told(error: Exception) -> str:
    if ran_out_of_memory(error):
        return (
            f"it wants more memory than there is ({one_line(error)}); expected a smaller --batch, "
            "or a model that needs less"
        )
    return one_line(error)
