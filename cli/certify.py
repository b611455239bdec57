"""`smoothcert certify`: certificates for the images of a source."""

from pathlib import Path
from typing import Any

import click

from smoothcert.cli.file_options import model_options, source_options
from smoothcert.cli.grouping import GroupedCommand
from smoothcert.cli.options import run_options
from smoothcert.cli.running import estimated, watched
from smoothcert.cli.shell.numbers import Number, Numbers
from smoothcert.engine.base.ranges import (
    ALPHA_ZETA,
    FAMILY_WISE,
    PAIRED_SAMPLES,
    RADIUS,
    SAMPLES,
    SAMPLES_PRICE,
    SELECTION_SAMPLES,
    TOLERANCE,
)


@click.command("certify", cls=GroupedCommand)
@run_options
@click.option(
    "--n0",
    type=Number(SELECTION_SAMPLES),
    help="Selection samples [default: 100]; the pilot's, 500.",
)
@click.option(
    "--n",
    type=Number(SAMPLES),
    default=100_000,
    show_default=True,
    help="Estimation samples, at most.",
)
@click.option(
    "--radii", type=Numbers(RADIUS), help="Table mode: certify at these radii, such as 0,0.5,1."
)
@click.option(
    "--setting",
    type=click.Choice(["strict", "fast"]),
    help="Of table mode: how much accuracy may be lost for samples [default: strict].",
)
@click.option(
    "--tolerance", type=Number(TOLERANCE), help="Radius mode: the part of a radius to give up."
)
@click.option(
    "--samples-price",
    type=Number(SAMPLES_PRICE),
    help="Radius mode: radius/sigma per 100,000 samples.",
)
@click.option(
    "--bound",
    type=click.Choice(["one-sided", "two-class"]),
    default="one-sided",
    show_default=True,
    help="two-class: the runner-up's probability is bounded too; not with --radii.",
)
@click.option(
    "--budget",
    metavar="30m|2h|5e7",
    help="Of table mode: decide as many cells as so much time, or so many samples, can.",
)
@click.option(
    "--estimate",
    is_flag=True,
    help="Write nothing: try some images, and print what each mode would take.",
)
@click.option("--label-aware", is_flag=True, help="Stop where the label cannot be certified.")
@click.option(
    "--family-wise",
    type=Number(FAMILY_WISE),
    metavar="M",
    help="alpha is for M images together; more are refused.",
)
@click.option(
    "--transfer-to",
    type=click.Path(path_type=Path),
    metavar="REFERENCE",
    help="Certify this model too, through how rarely its votes differ from MODEL's.",
)
@click.option(
    "--n-zeta", type=Number(PAIRED_SAMPLES), help="Paired samples [default: n / 10, at least 1000]."
)
@click.option(
    "--alpha-zeta", type=Number(ALPHA_ZETA), help="Further failure probability [default: alpha]."
)
@model_options
@source_options
def command(**options: Any) -> None:
    """Certify the images of SOURCE with MODEL smoothed by noise of level SIGMA.

    With probability at least 1 - ALPHA per image, the smoothed classifier's prediction is constant
    within the L2 radius that OUT.tsv states: for every input that near to the image as MODEL gets
    it, after resize and crop. What is smoothed is MODEL composed with rounding to the 8-bit grid,
    after the noise; the column covers is about 8-bit images, which need no rounding. Neither the
    images nor MODEL may depend on the seed: a model made for it can be certified falsely.

    The same command resumes a log that was interrupted. With --transfer-to, the columns *_transfer
    certify REFERENCE with probability at least 1 - (ALPHA + ALPHA_ZETA).
    """
    from smoothcert.runs import certify

    if options["estimate"]:
        estimated(certify, **options)
    else:
        watched(certify, **options)
