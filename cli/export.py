"""`smoothcert export`: a checkpoint as a one-file ONNX model."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from smoothcert.cli.options import Numbers

if TYPE_CHECKING:
    from smoothcert.export.precision.reduce import ReducedModel

_ZETA_ALPHA = 0.001


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
@click.option(
    "--precision",
    type=click.Choice(["fp32", "fp16", "bf16", "int8", "fp8"]),
    default="fp32",
    show_default=True,
)
@click.option("--calibrate", metavar="SOURCE", help="Images for int8 and fp8, and to compare on.")
@click.option("--sigma", type=float, help="Of the noise on them: the level to be certified.")
@click.option("--images", default=64, show_default=True, help="So many images of SOURCE.")
@click.option(
    "--for",
    "target",
    type=click.Choice(["cpu", "gpu"]),
    default="cpu",
    show_default=True,
    help="Of int8: ONNX Runtime and OpenVINO on a CPU, or TensorRT.",
)
@click.option(
    "--max-zeta",
    default=0.05,
    show_default=True,
    help="Keep layers in float32 rather than let more of the votes differ.",
)
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
    precision: Any,
    calibrate: str | None,
    sigma: float | None,
    images: int,
    target: Any,
    max_zeta: float,
    force: bool,
) -> None:
    """Export CHECKPOINT to ONNX and check that both vote alike on the same noisy images."""
    from smoothcert.engine.base.errors import InputError
    from smoothcert.export.checkpoint_export import export_checkpoint
    from smoothcert.export.precision.reduce import Reduction

    if output.exists() and not force:
        raise InputError(f"{output} exists already: choose another output, or --force")
    if not output.parent.is_dir():
        raise InputError(f"{output.parent} is no folder: expected an output in an existing folder")
    reduction = None
    if precision != "fp32":
        reduction = Reduction(precision, calibrate, sigma, target, max_zeta, images)
    elif calibrate is not None or sigma is not None:
        raise InputError(
            "calibrate and sigma have no use at fp32: give --precision too, or leave them out"
        )
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
        reduction=reduction,
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
    if report.reduced is not None:
        _echo_reduced(report.reduced, precision, calibrate)


def _echo_reduced(reduced: "ReducedModel", precision: str, calibrate: str | None) -> None:
    found = reduced.disagreement
    if reduced.kept:
        click.echo(f"kept in float32: {', '.join(reduced.kept)}")
    worst = found.zeta_upper_per_image(_ZETA_ALPHA).max()
    click.echo(
        f"{precision} against fp32 on {found.total} noisy images"
        + (f" of {calibrate}" if calibrate else ", random pixels")
        + f", sigma {found.sigma}: zeta {found.zeta:.4f} of the votes differ, at most "
        f"{found.zeta_upper(_ZETA_ALPHA):.4f} with confidence {1 - _ZETA_ALPHA:g}; of the worst "
        f"image {found.counts.max() / found.samples:.4f}, at most {worst:.4f}"
    )
