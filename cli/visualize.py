"""`smoothcert visualize`: an image as the base classifier sees it under noise."""

from pathlib import Path
from typing import Any

import click

from smoothcert.cli.file_options import SOURCE, source_options
from smoothcert.cli.grouping import GroupedCommand
from smoothcert.cli.shell.numbers import Number, Numbers
from smoothcert.cli.shell.printing import echo
from smoothcert.engine.base.ranges import INDEX, PICTURED_SIGMA, RESIZE, SEED, SIDE


@click.command("visualize", cls=GroupedCommand)
@click.argument("source", type=SOURCE)
@click.argument("outdir", type=click.Path(path_type=Path))
@click.argument("index", type=Number(INDEX))
@click.argument("sigmas", type=Number(PICTURED_SIGMA), nargs=-1, required=True, metavar="SIGMA...")
@click.option(
    "--input-shape",
    type=Numbers(SIDE, 3),
    help="C,H,W [default: the images' own; 3,224,224 for photographs].",
)
@click.option(
    "--resize", type=Number(RESIZE), help="Shorter side of photographs before the centre crop."
)
@click.option("--seed", type=Number(SEED), default=0, show_default=True, help="Seed of the noise.")
@click.option("--force", is_flag=True, help="Replace files that differ.")
@source_options
def command(
    source: str,
    outdir: Path,
    index: int,
    sigmas: tuple[float, ...],
    input_shape: tuple[int, int, int] | None,
    resize: int | None,
    seed: int,
    force: bool,
    **of_source: Any,
) -> None:
    """Write image INDEX of SOURCE under the engine's noise of each SIGMA (0: without) to OUTDIR.

    Files are named INDEX_100*SIGMA.png; INDEX_sheet.png has all of them, labelled. Noisy pixels
    are clipped to what a screen can show; the classifier sees them unclipped.
    """
    from smoothcert.analysis.pictures import write_pictures
    from smoothcert.engine.base.errors import InputError
    from smoothcert.engine.base.input_spec import InputSpec
    from smoothcert.engine.sources import open_source
    from smoothcert.engine.sources.base import said_of
    from smoothcert.engine.sources.options import SourceOptions
    from smoothcert.engine.sources.photograph import DEFAULT_SPEC

    spec = InputSpec.of_shape(*input_shape) if input_shape else None
    if resize is not None:
        spec = InputSpec(*(spec or DEFAULT_SPEC).shape, resize=resize)
    images = open_source(source, spec, None, SourceOptions.among(of_source))
    for sentence in said_of(images):
        echo(f"{source}: {sentence}")
    if index >= len(images):
        raise InputError(f"{source}: has no image {index}: expected 0..{len(images) - 1}")
    title = f"{images.describe()['name']}, image {index}"
    if images.label(index) >= 0:
        title += f", class {images.label(index)}"
    for path in write_pictures(
        images.image(index), index, sigmas, outdir, title, seed=seed, force=force
    ):
        echo(path)
