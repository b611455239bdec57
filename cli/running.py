"""What `certify` and `predict` share: a run that is watched, and can be interrupted."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from smoothcert.cli.shell.printing import echo

if TYPE_CHECKING:
    from smoothcert.engine.run.certification import RunSummary


def watched(
    run: "Callable[..., RunSummary]",
    log: Path,
    log_json: bool,
    metrics_port: int | None,
    metrics_host: str,
    **options: Any,
) -> None:
    """Run with progress, and print one line; `run` is smoothcert.certify or smoothcert.predict."""
    from smoothcert.cli.watchers import watching
    from smoothcert.engine.log.manifest import manifest_path

    with watching(log_json, metrics_port, metrics_host) as watchers:
        summary = run(log=log, watcher=watchers, **options)
    rate = summary.samples_now / summary.seconds
    echo(
        f"{log}: {summary.images} images, {summary.certified_now} of them now, in "
        f"{summary.seconds:.1f} s ({rate:,.0f} samples/s)"
    )
    if summary.cells:
        share = summary.undecided / summary.cells
        more = "; a further --budget goes on" if summary.undecided else ""
        echo(
            f"{log}: {summary.undecided} of {summary.cells} cells of the table are undecided "
            f"({share:.1%}){more}"
        )
    if summary.failed:
        first = summary.failed[0]
        echo(
            f"smoothcert: {len(summary.failed)} of {summary.images} images could not be certified, "
            f"the first being image {first.index}: {first.reason}; {manifest_path(log)} names them "
            "all, and the same command tries them again",
            err=True,
        )
        raise click.exceptions.Exit(1)
