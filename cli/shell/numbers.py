"""Options that are numbers: of a range each, and written in the digits 0 to 9."""

import click

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.ranges import RADII, Range
from smoothcert.engine.base.wording import shown

BLANKS = " \t\n\r"
"""Around a number they are no part of it: `wc -l` prints some."""


class Number(click.ParamType[int | float]):
    """A number of a range (engine/base/ranges.py), in the digits 0 to 9."""

    def __init__(self, range_: Range) -> None:
        self.range = range_
        self.name = "integer" if range_.whole else "float"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | float:
        """See click.ParamType."""
        try:
            if isinstance(value, str):
                return self.range.read(value.strip(BLANKS))
            return self.range.check(value)
        except InputError as error:
            self.fail(str(error), param, ctx)


class OneOrMore(click.ParamType[int | float | tuple[int | float, ...]]):
    """A number of a range; or a tuple of them, where there are commas."""

    name = "numbers"

    def __init__(self, range_: Range) -> None:
        self._one, self._more = Number(range_), Numbers(range_)

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | float | tuple[int | float, ...]:
        """See click.ParamType."""
        if isinstance(value, str) and "," in value:
            return self._more.convert(value, param, ctx)
        return self._one.convert(value, param, ctx)


class Numbers(click.ParamType[tuple[int | float, ...]]):
    """A tuple of numbers of a range, separated by commas; `count` of them where that is given."""

    name = "numbers"

    def __init__(self, range_: Range, count: int | None = None) -> None:
        self.range = range_
        self._count = count

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int | float, ...]:
        """See click.ParamType."""
        if isinstance(value, tuple):
            return value
        parts = [part.strip(BLANKS) for part in str(value).split(",")]
        if not all(map(self.range.spells, parts)) or self._count not in (None, len(parts)):
            count = f"{self._count} " if self._count else ""
            self.fail(
                f"{shown(value)} is no list of {count}numbers separated by commas", param, ctx
            )
        try:
            RADII.check(len(parts), "number of numbers")
            return tuple(map(self.range.read, parts))
        except InputError as error:
            self.fail(str(error), param, ctx)
