"""`smoothcert export`: a checkpoint as a one-file ONNX model."""

from pathlib import Path
from typing import Any

import click

from smoothcert.cli.numbers import Numbers


@click.command("export")
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True)
@click.option("--arch", help="Architecture, or pkg.module:factory [default: the checkpoint's].")
@click.option("--dataset", help="cifar10, cifar100, imagenet, mnist, fashion-mnist.")
@click.option("--num-classes", type=click.IntRange(min=1), help="[default: the checkpoint's]")
@click.option("--input-shape", type=Numbers(int, 3), help="C,H,W [default: the dataset's].")
@click.option(
    "--mean", type=Numbers(float), help="Per channel, of [0,1] pixels [default: the dataset's]."
)
@click.option("--std", type=Numbers(float), help="Per channel [default: the dataset's].")
@click.option("--resize", type=int, help="Shorter side of photographs before the centre crop.")
@click.option("--interpolation", type=click.Choice(["bilinear", "bicubic"]))
@click.option("--precision", type=click.Choice(["fp32"]), default="fp32", show_default=True)
@click.option("--force", is_flag=True, help="Replace an existing output.")
def command(
    checkpoint: Path,
    output: Path,
    arch: str | None,
    dataset: str | None,
    num_classes: int | None,
    input_shape: tuple[int, int, int] | None,
    mean: tuple[float, ...] | None,
    std: tuple[float, ...] | None,
    resize: int | None,
    interpolation: Any,
    precision: str,
    force: bool,
) -> None:
    """Export CHECKPOINT to ONNX and check that both vote alike on the same noisy images."""
    from smoothcert.engine.errors import InputError
    from smoothcert.export.checkpoint_export import export_checkpoint

    if output.exists() and not force:
        raise InputError(f"{output} exists already: choose another output, or --force")
    if not output.parent.is_dir():
        raise InputError(f"{output.parent} is no folder: expected an output in an existing folder")
    report = export_checkpoint(
        checkpoint,
        output,
        arch=arch,
        dataset=dataset,
        num_classes=num_classes,
        input_shape=input_shape,
        mean=mean,
        std=std,
        resize=resize,
        interpolation=interpolation,
    )
    spec, parity = report.spec, report.parity
    click.echo(f"{output}: {report.arch}, {report.num_classes} classes, input {spec.shape}")
    if report.assumed:
        click.echo(f"assumed {report.assumed}")
    click.echo(
        f"normalisation mean {spec.mean or 'none'}, std {spec.std or 'none'}; photographs: "
        + (f"resize {spec.resize} {spec.interpolation}" if spec.resize else "as they are")
    )
    click.echo(f"checkpoint sha256 {report.checkpoint_sha256}")
    click.echo(
        f"parity on {parity.samples} noisy images: {parity.disagreements} votes differ, logits by "
        f"up to {parity.largest_difference:.1e} at a scale of {parity.scale:.1e}"
    )
