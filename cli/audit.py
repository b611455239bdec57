"""`smoothcert audit`: is this log what its manifest says?"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from smoothcert.cli.file_options import SOURCE, source_options
from smoothcert.cli.grouping import GroupedCommand
from smoothcert.cli.shell.numbers import Number
from smoothcert.cli.shell.printing import echo_result
from smoothcert.engine.base.ranges import ROWS, SEED

if TYPE_CHECKING:
    from smoothcert.engine.run.audit import AuditReport

MOST_FINDINGS = 50
"""Lines that are printed; more are counted."""


@click.command("audit", cls=GroupedCommand)
@click.argument("log", type=click.Path(path_type=Path), metavar="LOG.tsv")
@click.argument("source", type=SOURCE)
@click.option(
    "--rows", type=Number(ROWS), default=20, show_default=True, help="Images to certify again."
)
@click.option("--model", type=click.Path(path_type=Path), help="[default: where the run found it]")
@click.option("--transfer-to", type=click.Path(path_type=Path),
              help="[default: where the run found it]")  # fmt: skip
@click.option("--indices", type=click.Path(path_type=Path), metavar="FILE",
              help="The run's own: checks that it lists what the log has.")  # fmt: skip
@click.option(
    "--seed", type=Number(SEED), help="Repeats an audit: chooses its images.  [default: fresh]"
)
@click.option("--another-machine", is_flag=True,
              help="Made on another processor or runtime: counts may differ by 0.2 %.")  # fmt: skip
@source_options
def command(log: Path, source: str, **options: Any) -> None:
    """Check LOG.tsv: all that can be recomputed, and some images certified again.

    Every number of every row and of the manifest is recomputed from the model file and SOURCE, and
    the pixels of every image are compared. Exit 0 where all is as logged, 1 where it is not.
    """
    from smoothcert.auditing import audit

    report = audit(log, source, **options)
    for finding in report.findings[:MOST_FINDINGS]:
        echo_result(finding)
    if len(report.findings) > MOST_FINDINGS:
        echo_result(f"... and {len(report.findings) - MOST_FINDINGS} more findings")
    for remark in report.remarks:
        echo_result(f"not recomputed: {remark}")
    echo_result(
        f"{log}: {report.rows} rows recomputed, {report.repeated} certified again (seed "
        f"{report.seed}), {report.manner}: {len(report.findings) or 'no'} findings"
    )
    if report.findings:
        sys.exit(1)
    if report.rows:
        echo_result(_chances(report))


def _chances(report: "AuditReport") -> str:
    """What so few repeated rows may have missed."""
    forged = sorted({-(-report.rows // part) for part in (report.rows, 100, 10)})
    chances = [f"{report.escape(number):.3g} ({number} of them)" for number in forged]
    return f"forged rows all escape being certified again with probability {', '.join(chances)}"
