"""`smoothcert doctor`: what this machine can run, what is missing, and how to install it."""

import json

import click

_ALARMING = ("missing", "broken", "read-only")


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="One JSON array.")
def command(as_json: bool) -> None:
    """Say what this machine can run, what is missing, and how to install it."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from smoothcert.engine.base.machine import diagnose

    report = diagnose()
    if as_json:
        click.echo(json.dumps(report))
        return
    console = Console()
    if not console.is_terminal:
        widths = [max(len(entry[column]) for entry in report) for column in ("part", "state")]
        for entry in report:
            part, state = entry["part"].ljust(widths[0]), entry["state"].ljust(widths[1])
            click.echo(f"{part}  {state}  {entry['note']}")
        return
    table = Table("part", "state", "note")
    for entry in report:
        # As Text: the brackets of 'smoothcert[cpu]' are not rich's markup.
        cells = (Text(entry[column], overflow="fold") for column in ("part", "state", "note"))
        table.add_row(*cells, style="red" if entry["state"] in _ALARMING else None)
    console.print(table)
