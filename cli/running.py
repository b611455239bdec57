"""What `certify` and `predict` share: a run that is watched, and can be interrupted."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from smoothcert.cli.shell.printing import (
    complain,
    echo,
    echo_lines,
    echo_result,
    terminal_width,
)

if TYPE_CHECKING:
    from smoothcert.engine.run.certification import RunSummary
    from smoothcert.engine.run.estimate import Estimate
    from smoothcert.run import Run


def watched(
    make: "Callable[..., Run | tuple[Run, ...]]",
    log_json: bool,
    metrics_port: int | None,
    metrics_host: str,
    **options: Any,
) -> None:
    """Run with progress, and print one line for each log; `make` is smoothcert.certify or
    smoothcert.predict."""
    from smoothcert.cli.watchers import Finished, watching
    from smoothcert.engine.run.certification import Watchers

    with watching(log_json, metrics_port, metrics_host) as watchers:
        watcher = Watchers([watchers, Finished(_say)])
        made = make(watcher=watcher, progress=False, **options)
        runs = made if isinstance(made, tuple) else (made,)
        try:
            summaries = {run.log: run.summary for run in runs}
        finally:
            for run in runs:
                run.close()
    if not isinstance(made, tuple):
        done = made.summary
        _say(str(made.log), done.images, done.certified_now, done.samples_now, done.seconds)
        if done.cells:
            _say_undecided(made.log, done)
    for path, summary in summaries.items():
        _say_failed(path, summary)
    if any(summary.failed for summary in summaries.values()):
        raise click.exceptions.Exit(1)


def estimated(
    make: "Callable[..., tuple[Estimate, ...]]",
    log_json: bool,
    metrics_port: int | None,
    metrics_host: str,
    **options: Any,
) -> None:
    """Print what each mode would take; `make` is smoothcert.certify."""
    from smoothcert.analysis.grid import TEXT, in_blocks
    from smoothcert.cli.watchers import watching

    with watching(log_json, metrics_port, metrics_host) as watchers:
        found = make(watcher=watchers, progress=False, **options)
    width = terminal_width()
    for each in found:
        echo_result(
            f"sigma {each.sigma:g}: {each.tried} of {each.images} images tried, at "
            f"{each.samples_per_second:,.0f} samples/s on this device; for all {each.images}:"
        )
        grid = [["", "samples/image", "samples", "hours"]]
        for mode in each.modes:
            per_image = f"{mode.per_image:,.0f} +- {mode.error:,.0f}"
            grid.append([mode.options, per_image, f"{mode.samples:,.0f}", f"{mode.hours:.2f}"])
        echo_lines(TEXT.lay_out(grid) if width is None else in_blocks(grid, width))


def _say(log: str, images: int, certified: int, samples: int, seconds: float) -> None:
    rate = samples / seconds
    echo(
        f"{log}: {images} images, {certified} of them now, in {seconds:.1f} s "
        f"({rate:,.0f} samples/s)"
    )


def _say_undecided(log: Path, summary: "RunSummary") -> None:
    more = "; a further --budget goes on" if summary.undecided else ""
    echo(
        f"{log}: {summary.undecided} of {summary.cells} cells of the table are undecided "
        f"({summary.undecided / summary.cells:.1%}){more}"
    )


def _say_failed(log: Path, summary: "RunSummary") -> None:
    from smoothcert.engine.log.manifest import manifest_path

    if summary.failed:
        first = summary.failed[0]
        complain(
            f"{len(summary.failed)} of {summary.images} images could not be certified, "
            f"the first being image {first.index}: {first.reason}; {manifest_path(log)} names them "
            "all, and the same command tries them again"
        )
