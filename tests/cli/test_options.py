"""Options of all commands: a number has a range."""

from collections.abc import Iterator

import click

from smoothcert.cli.shell.commands import COMMANDS, smoothcert
from smoothcert.cli.shell.numbers import Number


def _parameters() -> Iterator[tuple[str, click.Parameter]]:
    context = click.Context(smoothcert)
    for name in COMMANDS:
        command = smoothcert.get_command(context, name)
        assert command is not None
        yield from ((name, parameter) for parameter in command.params)


def test_every_number_has_a_range() -> None:
    """click's own numbers have none, and read digits of every script."""
    bare = (click.types.IntParamType, click.types.FloatParamType)
    found = [(name, p.name) for name, p in _parameters() if isinstance(p.type, bare)]
    assert found == []
    assert sum(isinstance(p.type, Number) for _, p in _parameters()) > 50


def test_defaults_are_in_range() -> None:
    for _, parameter in _parameters():
        if isinstance(parameter.type, Number) and isinstance(parameter.default, int | float):
            parameter.type.range.check(parameter.default)
