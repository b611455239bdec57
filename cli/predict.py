"""`smoothcert predict`: the smoothed classifier's predictions, without radii."""

from typing import Any

import click

from smoothcert.cli.file_options import model_options, source_options
from smoothcert.cli.grouping import GroupedCommand
from smoothcert.cli.options import run_options
from smoothcert.cli.running import watched
from smoothcert.cli.shell.numbers import Number
from smoothcert.engine.base.ranges import SAMPLES


@click.command("predict", cls=GroupedCommand)
@run_options
@click.option("--n", type=Number(SAMPLES), default=1000, show_default=True, help="Samples.")
@model_options
@source_options
def command(**options: Any) -> None:
    """Predict the images of SOURCE with MODEL smoothed by noise of level SIGMA.

    With probability at least 1 - ALPHA per image, a prediction in OUT.tsv is the smoothed
    classifier's (or -1, abstention); the radius column is 0. Neither the images nor MODEL may
    depend on the seed: for a model made for it, a prediction can be false.
    """
    from smoothcert.runs import predict

    watched(predict, **options)
