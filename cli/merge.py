"""`smoothcert merge`: the logs of shards, joined."""

from pathlib import Path

import click

from smoothcert.cli.grouping import GroupedCommand
from smoothcert.cli.shell.printing import echo


@click.command("merge", cls=GroupedCommand)
@click.argument("out", type=click.Path(path_type=Path), metavar="OUT.tsv")
@click.argument("shards", type=click.Path(path_type=Path), nargs=-1, required=True)
def command(out: Path, shards: tuple[Path, ...]) -> None:
    """Join the complete logs of all SHARDS of one run into OUT.tsv."""
    from smoothcert.engine.log.merge import merge_shards

    merged = merge_shards(out, list(shards))
    already = " (it was there already)" if merged.was_there else ""
    echo(f"{out}: {merged.rows} rows from {len(shards)} shards{already}")
