"""`smoothcert analyze`: certified accuracy of logs."""

from pathlib import Path

import click


@click.command("analyze")
@click.argument("logs", type=click.Path(path_type=Path), nargs=-1, required=True, metavar="LOG...")
@click.option("--radii", help="Radii of the table, for instance 0,0.5,1 [default: a regular grid].")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "markdown", "latex", "csv", "json"]),
    default="text",
    show_default=True,
)
@click.option("--alpha", type=float, help="Of the high-probability figures [default: the log's].")
@click.option("--rho", default=0.001, show_default=True, help="Their failure probability.")
def command(
    logs: tuple[Path, ...], radii: str | None, form: str, alpha: float | None, rho: float
) -> None:
    """Print the certified accuracy of each LOG: the share of its images that are classified
    correctly and certified within each radius.

    "At least (w.h.p.)" holds with probability 1 - rho over the noise of the whole log. Logs of
    the original code are read, and logs that are still being written.
    """
    from smoothcert.analysis.log import read_log
    from smoothcert.analysis.table import accuracy_table, check_radii, default_radii, render
    from smoothcert.engine.errors import InputError

    opened = [read_log(path) for path in logs]
    if radii is None:
        wanted = default_radii(opened)
    else:
        try:
            wanted = check_radii([float(text) for text in radii.split(",")])
        except ValueError as error:
            if isinstance(error, InputError):
                raise
            raise InputError(
                f"radii {radii!r} are no list of numbers: expected 0,0.5,1 for instance"
            ) from None
    click.echo(render(accuracy_table(opened, wanted, alpha, rho), form))
