"""Commands are imported when they are called."""

import click

from smoothcert.cli.shell.commands import COMMANDS, smoothcert


def test_every_command_is_there_and_no_other() -> None:
    context = click.Context(smoothcert)
    assert smoothcert.list_commands(context) == list(COMMANDS)
    for name in COMMANDS:
        command = smoothcert.get_command(context, name)
        assert command is not None
        assert command.name == name
    assert smoothcert.get_command(context, "nonsense") is None
