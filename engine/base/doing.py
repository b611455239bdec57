"""What is being done just now, told to whoever shows it; nobody, unless a program listens.

For what may take seconds before a result is seen. It is heard in the context that listens alone:
not in other threads, nor in other processes.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol, TypeVar

_Item = TypeVar("_Item")


class Listener(Protocol):
    """What shows it. Works may lie within works."""

    def begin(self, what: str, total: int | None) -> int:
        """A work begins, of so many steps where they are known; its number."""
        ...

    def step(self, work: int, done: int) -> None:
        """So many steps of a work are done."""
        ...

    def end(self, work: int) -> None:
        """A work has ended."""
        ...

    def pause(self) -> None:
        """From now on the place where it is shown is another's."""
        ...

    def resume(self) -> None:
        """The place is free again."""
        ...


_listener: ContextVar[tuple[int, Listener] | None] = ContextVar("listener", default=None)


@contextmanager
def heard_by(listener: Listener) -> Iterator[None]:
    """Within, works of this context are told to `listener`."""
    token = _listener.set((os.getpid(), listener))
    try:
        yield
    finally:
        _listener.reset(token)


def _hearing() -> Listener | None:
    found = _listener.get()
    return found[1] if found is not None and found[0] == os.getpid() else None


@contextmanager
def doing(what: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """Within, `what` is being done ("reading the log"), in `total` steps where that is known; what
    it gives takes how many of them are done."""
    listener = _hearing()
    if listener is None:
        yield lambda done: None
        return
    work = listener.begin(what, total)
    try:
        yield lambda done: listener.step(work, done)
    finally:
        listener.end(work)


def each_of(items: Iterable[_Item], what: str, total: int | None = None) -> Iterator[_Item]:
    """The items, one by one, while `what` is being done: a step for each that is done with."""
    with doing(what, total) as step:
        for done, item in enumerate(items, 1):
            yield item
            step(done)


@contextmanager
def shown_otherwise() -> Iterator[None]:
    """Within, another display has the place where works are shown."""
    listener = _hearing()
    if listener is None:
        yield
        return
    listener.pause()
    try:
        yield
    finally:
        listener.resume()
