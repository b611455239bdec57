"""`smoothcert export`: a checkpoint, or a foreign ONNX file, as a one-file ONNX model."""

from pathlib import Path
from typing import Any

import click

from smoothcert.cli.file_options import SOURCE
from smoothcert.cli.grouping import GroupedCommand, grouped, option
from smoothcert.cli.shell.numbers import Number, Numbers
from smoothcert.cli.shell.printing import echo, is_quiet
from smoothcert.engine.base.ranges import (
    CALIBRATION_IMAGES,
    CLASSES,
    INPUT_END,
    MAX_ZETA,
    MEAN,
    RESIZE,
    SIDE,
    SIGMA,
    STD,
    THRESHOLD,
)


@click.command("export", cls=GroupedCommand)
@click.argument("model", type=click.Path(path_type=Path), required=False)
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True)
@click.option(
    "--arch",
    help="Architecture, timm:NAME, torchvision:NAME, hf:FOLDER, or pkg.module:factory "
    "[default: the checkpoint's].",
)
@click.option("--dataset", help="cifar10, cifar100, imagenet, mnist, fashion-mnist.")
@click.option("--num-classes", type=Number(CLASSES), help="[default: the checkpoint's]")
@click.option("--input-shape", type=Numbers(SIDE, 3), help="C,H,W [default: the dataset's].")
@click.option(
    "--mean", type=Numbers(MEAN), help="Per channel, of [0,1] pixels [default: the dataset's]."
)
@click.option("--std", type=Numbers(STD), help="Per channel [default: the dataset's].")
@click.option(
    "--resize", type=Number(RESIZE), help="Shorter side of photographs before the centre crop."
)
@click.option("--interpolation", type=click.Choice(["bilinear", "bicubic"]))
@click.option(
    "--precision",
    type=click.Choice(["fp32", "fp16", "bf16", "int8", "fp8"]),
    default="fp32",
    show_default=True,
)
@click.option(
    "--calibrate",
    type=SOURCE,
    metavar="SOURCE",
    help="Images for int8 and fp8, and to compare on.",
)
@click.option(
    "--sigma",
    type=Number(SIGMA),
    help="Of the noise on them, and of --denoiser: the level to be certified.",
)
@click.option(
    "--images",
    type=Number(CALIBRATION_IMAGES),
    default=64,
    show_default=True,
    help="So many images of SOURCE.",
)
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
    type=Number(MAX_ZETA),
    default=0.05,
    show_default=True,
    help="Keep layers in float32 rather than let more of the votes differ.",
)
@click.option("--force", is_flag=True, help="Replace an existing output.")
@grouped(
    "Of a checkpoint that others wrote",
    option("--weights", metavar="KEY", help="Its entry with the weights [default: the only one]."),
    option(
        "--ignore",
        metavar="PREFIX",
        multiple=True,
        help="Names of weights that are no part of the network; may be repeated.",
    ),
)
@grouped(
    "Of a model that others wrote",
    option(
        "--input-range",
        type=Numbers(INPUT_END, 2),
        metavar="LOW,HIGH",
        help="What pixels 0 and 255 become, in place of --mean and --std.",
    ),
    option(
        "--layout",
        type=click.Choice(["nchw", "nhwc"]),
        help="Of an ONNX file's input [default: by the side that is 1 or 3].",
    ),
    option(
        "--logits",
        metavar="NAME",
        help="The output of an ONNX file to read [default: the only one that fits].",
    ),
    option(
        "--threshold",
        type=Number(THRESHOLD),
        help="A single output of an ONNX file above it is class 1, else class 0.",
    ),
)
@grouped(
    "With a denoiser in front",
    option(
        "--denoiser",
        type=SOURCE,
        metavar="NAME",
        help="An ONNX file, or pkg.module:factory of a torch module: the two as one network, for "
        "noise of --sigma alone.",
    ),
    option(
        "--denoiser-range",
        type=Numbers(INPUT_END, 2),
        metavar="LOW,HIGH",
        help="What pixels 0 and 255 are to it [default: 0,1; with --diffusion -1,1].",
    ),
    option(
        "--denoiser-shape",
        type=Numbers(SIDE, 3),
        metavar="C,H,W",
        help="Its images, where it takes any [default: the classifier's].",
    ),
    option(
        "--diffusion",
        metavar="SCHEDULE",
        help="It is a diffusion model, of which one step is taken: linear, cosine, cosine:STEPS, "
        "or a file of its alphas_cumprod.",
    ),
    option(
        "--denoiser-interpolation",
        type=click.Choice(["bilinear", "bicubic", "bilinear-antialias", "bicubic-antialias"]),
        help="From its images to those of the classifier, as F.interpolate [default: bicubic].",
    ),
)
def command(model: Path | None, output: Path, **options: Any) -> None:
    """Export MODEL to ONNX and check that both vote alike on the same noisy images.

    With --denoiser: the denoiser and MODEL, one after the other, as one network.

    MODEL is a checkpoint, an ONNX file that others wrote, or hf:FOLDER, a local folder of a
    Hugging Face image classifier. It is left out where --arch is the factory of a trained module.
    """
    from smoothcert.cli.shell.export_progress import ExportProgress
    from smoothcert.exporting import export

    with ExportProgress(quiet=is_quiet()) as progress:
        found = export(model, output, watcher=progress, **options)
    for line in found.lines:
        echo(line)
    for line in found.warnings:
        echo(f"warning: {line}", err=True)
