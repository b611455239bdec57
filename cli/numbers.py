"""Options that are lists of numbers separated by commas, such as --input-shape 3,224,224."""

import click


class Numbers(click.ParamType[tuple[float, ...]]):
    """A tuple of numbers of one kind; `count` of them where that is given."""

    name = "numbers"

    def __init__(self, kind: type[int] | type[float], count: int | None = None) -> None:
        self._kind = kind
        self._count = count

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, ...]:
        """See click.ParamType."""
        if isinstance(value, tuple):
            return value
        try:
            numbers = tuple(self._kind(part) for part in str(value).split(","))
        except ValueError:
            numbers = ()
        if not numbers or self._count not in (None, len(numbers)):
            count = f"{self._count} " if self._count else ""
            self.fail(f"{value!r} is no list of {count}numbers separated by commas", param, ctx)
        return numbers
