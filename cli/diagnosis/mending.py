"""Options that a refusal names, tried out: which of their values make a file usable."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields, replace
from typing import Any, Generic, TypeVar

from smoothcert.engine.base.errors import InputError

_Options = TypeVar("_Options")
_Opened = TypeVar("_Opened")

_MOST_TRIES = 16
_DEEPEST = 3


@dataclass(frozen=True)
class Mend(Generic[_Options, _Opened]):
    """Options with which a file opens, and what it is then."""

    options: _Options
    opened: _Opened


def named_options(refusal: str) -> list[str]:
    """The options that a refusal names, as Python names, in the order of the text."""
    found = re.findall(r"--([a-z][a-z-]*[a-z])", refusal)
    return list(dict.fromkeys(name.replace("-", "_") for name in found))


def mends(
    open_with: Callable[[_Options], _Opened],
    options: _Options,
    refusal: InputError,
    values: Callable[[str], Iterable[Any]],
) -> list[Mend[_Options, _Opened]]:
    """The options with which `open_with` does not refuse, among those that its refusals name.

    options  a dataclass of options, those given so far; what is given is left as it is
    values   the values to try of an option, by its Python name
    A refusal that names further options is followed, up to three of them.
    """
    tries = iter(range(_MOST_TRIES))

    def follow(given: _Options, text: str, depth: int) -> Iterator[Mend[_Options, _Opened]]:
        known = {field.name: field.default for field in fields(given)}  # type: ignore[arg-type]
        for name in named_options(text):
            if name not in known or getattr(given, name) != known[name]:
                continue
            for value in values(name):
                if next(tries, None) is None:
                    return
                try:
                    wider = replace(given, **{name: value})  # type: ignore[type-var]
                    yield Mend(wider, open_with(wider))
                except InputError as error:
                    if depth < _DEEPEST and str(error) != text:
                        yield from follow(wider, str(error), depth + 1)

    return list(follow(options, str(refusal), 1))
