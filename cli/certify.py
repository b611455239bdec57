"""`smoothcert certify`: certificates for the images of a source."""

from typing import Any

import click

from smoothcert.cli.running import run_options, start_run


@click.command("certify")
@run_options
@click.option("--n0", default=100, show_default=True, help="Selection samples.")
@click.option("--n", default=100_000, show_default=True, help="Estimation samples.")
def command(n0: int, n: int, alpha: float, **options: Any) -> None:
    """Certify the images of SOURCE with MODEL smoothed by noise of level SIGMA.

    With probability at least 1 - ALPHA per image, the smoothed classifier's prediction is constant
    within the radius that OUT.tsv states. The same command resumes a log that was interrupted.
    """
    from smoothcert.engine.procedures import FixedCertify

    start_run(lambda sigma, tau: FixedCertify(sigma, n0, n, alpha, tau), **options)
