"""`smoothcert audit`: is this log what its manifest says?"""

import sys
from pathlib import Path
from typing import Any

import click


@click.command("audit")
@click.argument("log", type=click.Path(path_type=Path), metavar="LOG.tsv")
@click.argument("source")
@click.option("--rows", default=20, show_default=True, help="Images to certify again.")
@click.option("--model", type=click.Path(path_type=Path), help="[default: where the run found it]")
@click.option("--transfer-to", type=click.Path(path_type=Path),
              help="[default: where the run found it]")  # fmt: skip
@click.option("--seed", default=0, show_default=True, help="Chooses the images.")
def command(log: Path, source: str, **options: Any) -> None:
    """Check LOG.tsv: every row's radius from its count, and some images certified again.

    Exit 0 where all is as logged, 1 where it is not.
    """
    from smoothcert.auditing import audit

    report = audit(log, source, **options)
    for finding in report.findings:
        click.echo(finding)
    manner = "bit for bit" if report.exact else "within the tolerance for another machine"
    click.echo(
        f"{log}: {report.rows} rows recomputed, {report.repeated} certified again and compared "
        f"{manner}: {len(report.findings) or 'no'} findings"
    )
    if report.findings:
        sys.exit(1)
