"""Options under headings of their own in --help: the ones that few need, after the others."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

_Command = TypeVar("_Command", bound=Callable[..., Any])

_FIRST = "Options"


class GroupedOption(click.Option):
    """An option with the heading that it stands under."""

    def __init__(self, *names: Any, group: str = _FIRST, **settings: Any) -> None:
        super().__init__(*names, **settings)
        self.group = group


class GroupedCommand(click.Command):
    """A command whose --help has a section for every group of options."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """See click.Command."""
        groups: dict[str, list[tuple[str, str]]] = {_FIRST: []}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None and isinstance(parameter, click.Option):
                groups.setdefault(getattr(parameter, "group", _FIRST), []).append(record)
        for heading, records in groups.items():
            with formatter.section(heading):
                formatter.write_dl(records)


def grouped(heading: str, *options: Callable[[Any], Any]) -> Callable[[_Command], _Command]:
    """A decorator that adds options under a heading, in their order.

    Each option is what `option` returns.
    """

    def decorate(function: _Command) -> _Command:
        for add in reversed(options):
            function = add(function)
        for parameter in function.__click_params__[-len(options) :]:  # type: ignore[attr-defined]
            parameter.group = heading
        return function

    return decorate


def option(*names: str, **settings: Any) -> Callable[[Any], Any]:
    """click.option, of the kind that `grouped` can give a heading."""
    return click.option(*names, cls=GroupedOption, **settings)
