"""What all commands share: options under headings of their own in --help (the ones that few need,
after the others), --quiet, and manners on a terminal."""

import re
from collections.abc import Callable
from typing import Any, TypeVar

import click

from smoothcert.cli.shell.activity import shown
from smoothcert.cli.shell.hints import hint
from smoothcert.cli.shell.printing import QUIET, is_quiet

_Command = TypeVar("_Command", bound=Callable[..., Any])

_FIRST = "Options"


class GroupedOption(click.Option):
    """An option with the heading that it stands under."""

    def __init__(self, *names: Any, group: str = _FIRST, **settings: Any) -> None:
        super().__init__(*names, **settings)
        self.group = group


class GroupedCommand(click.Command):
    """What every command of ours is: it has --quiet, a section of --help for every group of
    options, and on a terminal says what it is doing, and at its end what to type next."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.params.append(
            click.Option(
                ["-q", "--quiet"],
                is_flag=True,
                expose_value=False,
                callback=_keep_quiet,
                help="Print nothing but results and errors.",
            )
        )

    def invoke(self, ctx: click.Context) -> Any:
        """See click.Command."""
        if is_quiet() or ctx.params.get("log_json"):
            return super().invoke(ctx)
        with shown(ctx.command_path):
            value = super().invoke(ctx)
        hint(ctx.command.name or "", ctx.params)
        return value

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """See click.Command."""
        groups: dict[str, list[tuple[str, str]]] = {_FIRST: []}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None and isinstance(parameter, click.Option):
                names, text = record
                group = getattr(parameter, "group", _FIRST)
                groups.setdefault(group, []).append((_folded(names, formatter.width - 2), text))
        for heading, records in groups.items():
            with formatter.section(heading):
                formatter.write_dl(records)


def _keep_quiet(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    context.meta[QUIET] = value


def _folded(names: str, width: int) -> str:
    """An option and its choices, in as many lines as they need."""
    lines = [""]
    for part in re.split(r"(?<=\|)", names):
        if lines[-1] and len(lines[-1] + part) > width:
            lines.append(" " * 6)
        lines[-1] += part
    return "\n".join(lines)


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
