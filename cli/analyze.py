"""`smoothcert analyze`: certified accuracy of logs."""

from collections.abc import Sequence
from pathlib import Path

import click

from smoothcert.analysis.formats import FORMATS, render
from smoothcert.analysis.log import Log, files_of, read_log
from smoothcert.analysis.opening import Opened, open_logs
from smoothcert.analysis.population import population
from smoothcert.analysis.reading.names import check_columns
from smoothcert.analysis.table import accuracy_table, check_radii
from smoothcert.analysis.undecided import undecided_sentence
from smoothcert.analysis.usual_radii import usual_radii
from smoothcert.cli.file_options import SOURCE
from smoothcert.cli.grouping import GroupedCommand, grouped, option
from smoothcert.cli.shell.numbers import Number, Numbers
from smoothcert.cli.shell.printing import echo, echo_lines, terminal_width
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.ranges import ALPHA, RADIUS, RHO
from smoothcert.engine.sources.options import SourceOptions

_FILE = click.Path(path_type=Path)


@click.command("analyze", cls=GroupedCommand)
@click.argument("logs", type=click.Path(path_type=Path), nargs=-1, required=True, metavar="LOG...")
@click.option(
    "--radii",
    type=Numbers(RADIUS),
    help="Radii of the table, for instance 0,0.5,1 [default: those of table mode, or multiples "
    "of sigma / 2 up to the largest].",
)
@click.option(
    "--format", "form", type=click.Choice(list(FORMATS)), default="text", show_default=True
)
@click.option(
    "--alpha",
    type=Number(ALPHA),
    help="Failure probability of each row [default: the manifest's]; adds lower bounds.",
)
@click.option(
    "--rho",
    type=Number(RHO),
    help="Failure probability of the lower bounds [default: 0.001]; adds them.",
)
@click.option(
    "--plot",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Also draw the accuracy at every radius: .png, .pdf or .svg.",
)
@click.option(
    "--html", type=click.Path(path_type=Path), metavar="FILE.html", help="Also write a report."
)
@click.option(
    "--envelope",
    is_flag=True,
    help="Also the upper envelope of the logs: of each radius the best one's.",
)
@click.option(
    "--source", type=SOURCE, help="Of --html: the certified images, for pictures of them."
)
@click.option("--labels", type=_FILE, metavar="FILE", help="Of --source, as certify had it.")
@click.option("--classes", type=_FILE, metavar="FILE", help="Of --source, as certify had it.")
@click.option(
    "--reference",
    type=click.Path(path_type=Path),
    metavar="LOG",
    help="Judge predictions by a log with more samples of the same model, sigma and images.",
)
@click.option(
    "--transferred", is_flag=True, help="The reference's certificates (certify --transfer-to)."
)
@grouped(
    "Logs that others wrote",
    option(
        "--columns",
        metavar="NAMES",
        help="Their columns from left to right, for instance idx,label,predict,radius,-,correct; "
        "- is one to ignore [default: by the names in the header].",
    ),
)
def command(
    logs: tuple[Path, ...],
    radii: tuple[float, ...] | None,
    form: str,
    alpha: float | None,
    rho: float | None,
    plot: Path | None,
    html: Path | None,
    envelope: bool,
    source: str | None,
    labels: Path | None,
    classes: Path | None,
    reference: Path | None,
    transferred: bool,
    columns: str | None,
) -> None:
    """Print the certified accuracy of each LOG: the share of its images that are classified
    correctly and certified within each radius.

    A LOG is a file, a folder of them or a pattern in quotes. Of several, those without rows are
    left out; so are damaged ones, and the exit code is 2 then. Of images without labels the table
    gives the share that is certified, whatever the class.

    With --rho or --alpha the table also says what the accuracy is at least (w.h.p.): with
    probability 1 - RHO over the noise of the whole log, if each row fails with probability at
    most ALPHA. Logs of the original code and of its descendants are read, and logs that are still
    being written.

    --envelope adds the largest certified accuracy of the logs at each radius, and which log (or
    sigma) has it. No one classifier has it. The logs must be of the same images.

    With --reference the table says instead what share of the images is predicted correctly (the
    label) and accurately (the class that the reference names).

    On a terminal the table is as wide as that, in several blocks if need be; in a pipe each LOG has
    one line.

    --html writes one file with curves, histograms and every certificate, for any browser.
    """
    if source is not None and html is None:
        raise InputError(f"source {source} is for pictures in a report: expected --html too")
    for name, file in (("--labels", labels), ("--classes", classes)):
        if file is not None and source is None:
            raise InputError(f"{name} {file} is of the images of a report: expected --source too")
    names = None if columns is None else check_columns(columns.split(","))
    if names is not None and transferred:
        raise InputError("--columns and --transferred do not go together: expected one of them")
    if reference is not None:
        others = {"radii": radii, "alpha": alpha, "rho": rho, "plot": plot, "html": html}
        others["transferred"] = transferred or None
        others["envelope"] = envelope or None
        given = [name for name, value in others.items() if value is not None]
        _judge(logs, reference, form, names, given)
        return
    if plot is not None:
        from smoothcert.analysis.plot import check_plot_path, write_plot

        check_plot_path(plot)
    wanted = None if radii is None else check_radii(radii)
    found = _opened(logs, names)
    opened = found.logs
    if transferred:
        from smoothcert.analysis.transferred import transferred as of_reference

        opened = [of_reference(log) for log in opened]
    inputs = [*files_of(opened), source, labels, classes]
    if plot is not None:
        check_plot_path(plot, inputs)
    if html is not None:
        # Not at the top: a table needs none of it.
        from smoothcert.analysis.report.page import check_report_path, write_report

        check_report_path(html, inputs)
    table = accuracy_table(opened, wanted or usual_radii(opened), alpha, rho)
    notes = []
    if envelope:
        from smoothcert.analysis.envelope import note, with_envelope

        table = with_envelope(table, opened, alpha, rho)
        assert table.envelope is not None
        notes.append(note(table.envelope, len(opened)))
    if plot is not None:
        write_plot(plot, opened, alpha, rho, envelope=envelope)
    if html is not None:
        lists = SourceOptions(labels=labels, classes=classes)
        write_report(html, opened, table, alpha=alpha, rho=rho, source=source, source_options=lists)
        echo(f"{html}: a report, {html.stat().st_size / 1e6:.1f} MB", err=True)
    _tell(found, found.logs)
    for log in opened:
        for about in (population(log), undecided_sentence(log)):
            if about:
                echo(f"{log.path}: {about}", err=True)
    for said in notes:
        echo(said, err=True)
    echo_lines(render(table, form, found.skipped, terminal_width()))
    _fail_if_damaged(found)


def _judge(
    logs: tuple[Path, ...],
    reference: Path,
    form: str,
    columns: Sequence[str] | None,
    others: list[str],
) -> None:
    from smoothcert.analysis.prediction import judge_predictions
    from smoothcert.analysis.prediction_formats import render_predictions

    if others:
        raise InputError(
            f"--reference and --{others[0]} do not go together: expected one of them; run twice"
        )
    judge = read_log(reference, columns)
    found = _opened(logs, columns)
    table = judge_predictions(found.logs, judge)
    _tell(found, [*found.logs, judge])
    echo_lines(render_predictions(table, form, found.skipped, terminal_width()))
    _fail_if_damaged(found)


def _opened(named: tuple[Path, ...], columns: Sequence[str] | None) -> Opened:
    """The logs that can be read; where none can, stderr says of each why."""
    found = open_logs(named, columns)
    if not found.logs:
        for skipped in found.skipped[:-1]:
            echo(f"smoothcert: {skipped.why}", err=True)
        raise InputError(found.skipped[-1].why)
    return found


def _tell(found: Opened, logs: Sequence[Log]) -> None:
    """Say on stderr what was left out, and what was inferred of the logs: of many the same once."""
    for note in found.notes:
        echo(note, err=True)
    for skipped in found.skipped:
        echo(f"smoothcert: {skipped.why}; left out", err=True)
    sayings: dict[str, list[Path]] = {}
    for log in logs:
        if log.said:
            sayings.setdefault("; ".join(log.said), []).append(log.path)
    for text, paths in sayings.items():
        more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
        echo(f"{paths[0]}{more}: {text}", err=True)


def _fail_if_damaged(found: Opened) -> None:
    if any(skipped.damaged for skipped in found.skipped):
        raise click.exceptions.Exit(2)
