"""`smoothcert doctor`: what this machine can run, what is missing, and how to install it."""

import json

import click


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="One JSON array.")
def command(as_json: bool) -> None:
    """Say what this machine can run, what is missing, and how to install it."""
    from rich.console import Console
    from rich.table import Table

    from smoothcert.engine.environment import diagnose

    report = diagnose()
    if as_json:
        click.echo(json.dumps(report))
        return
    console = Console()
    if not console.is_terminal:
        for entry in report:
            click.echo(f"{entry['part']:12} {entry['state']:16} {entry['note']}")
        return
    table = Table("part", "state", "note")
    for entry in report:
        style = "red" if entry["state"] in ("missing", "read-only") else None
        table.add_row(entry["part"], entry["state"], entry["note"], style=style)
    console.print(table)
