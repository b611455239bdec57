"""`smoothcert export`: a checkpoint, or a foreign ONNX file, as a one-file ONNX model."""

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from smoothcert.cli.grouping import GroupedCommand, grouped, option
from smoothcert.cli.shell.numbers import Number, Numbers
from smoothcert.cli.shell.printing import echo
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

if TYPE_CHECKING:
    from smoothcert.export.checkpoint_export import ExportReport
    from smoothcert.export.composite.options import DenoiserOptions
    from smoothcert.export.composite.report import CompositeReport
    from smoothcert.export.precision.reduce import Reduction

_OF_ONNX = ("layout", "logits", "threshold")
_OF_WEIGHTS = ("arch", "dataset", "num_classes", "weights", "ignore")
_OF_BOTH = ("input_shape", "mean", "std", "input_range", "resize", "interpolation")
_OF_DENOISER = ("denoiser_range", "denoiser_shape", "diffusion", "denoiser_interpolation")


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
@click.option("--calibrate", metavar="SOURCE", help="Images for int8 and fp8, and to compare on.")
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
def command(
    model: Path | None,
    output: Path,
    denoiser: str | None,
    precision: Any,
    calibrate: str | None,
    sigma: float | None,
    images: int,
    target: Any,
    max_zeta: float,
    force: bool,
    **options: Any,
) -> None:
    """Export MODEL to ONNX and check that both vote alike on the same noisy images.

    With --denoiser: the denoiser and MODEL, one after the other, as one network.

    MODEL is a checkpoint, an ONNX file that others wrote, or hf:FOLDER, a local folder of a
    Hugging Face image classifier. It is left out where --arch is the factory of a trained module.
    """
    from smoothcert.engine.base.errors import InputError
    from smoothcert.engine.base.outputs import check_output
    from smoothcert.export.precision.reduce import Reduction

    check_output(
        output,
        replace=force,
        inputs=(model, calibrate, denoiser),
        choice="choose another output, or --force",
    )
    composite = None if denoiser is None else _denoiser_options(denoiser, sigma, options)
    if denoiser is None:
        _refuse(
            options, _OF_DENOISER, "is of a denoiser, and there is none", "give --denoiser, or "
        )
    reduction = None
    if precision != "fp32":
        # A composite's sigma is not for the calibration alone.
        level = sigma if composite is None or calibrate is not None else None
        reduction = Reduction(precision, calibrate, level, target, max_zeta, images)
    elif calibrate is not None or (sigma is not None and composite is None):
        raise InputError(
            "calibrate and sigma have no use at fp32: give --precision too, or leave them out"
        )
    if composite is not None:
        _export_composite(model, output, options, composite, reduction)
    elif model is not None and _is_onnx(model):
        _export_onnx(model, output, options, reduction)
    else:
        _export_checkpoint(model, output, options, reduction)


def _is_onnx(model: Path) -> bool:
    """Whether it is an ONNX file, by its bytes. Raises InputError for a model that needs no export:
    OpenVINO IR and plans."""
    from smoothcert.engine.base.errors import InputError
    from smoothcert.engine.models.kinds import Kind, kind_of

    if not model.is_file():  # hf:FOLDER, a folder, or nothing: said where it is read
        return False
    kind = kind_of(model)
    if kind in (Kind.OPENVINO, Kind.OPENVINO_FOLDER, Kind.PLAN):
        raise InputError(
            f"model {model} is {kind.value}, which cannot be exported: expected a checkpoint or an "
            "ONNX file; certify it as it is"
        )
    return kind is Kind.ONNX


def _export_onnx(
    model: Path, output: Path, options: dict[str, Any], reduction: "Reduction | None"
) -> None:
    from smoothcert.cli.shell.export_progress import ExportProgress
    from smoothcert.export.foreign.exporting import export_onnx
    from smoothcert.export.foreign.options import ModelOptions

    _refuse(options, _OF_WEIGHTS, f"is of a checkpoint, and {model} is an ONNX file")
    with ExportProgress() as progress:
        report = export_onnx(model, output, ModelOptions.among(options), reduction, progress)
    for line in report.lines():
        echo(line)


def _export_checkpoint(
    model: Path | None, output: Path, options: dict[str, Any], reduction: "Reduction | None"
) -> None:
    from smoothcert.cli.shell.export_progress import ExportProgress
    from smoothcert.export.checkpoint_export import export_checkpoint

    _refuse(options, _OF_ONNX, f"is of an ONNX file, and {model or options['arch']} is none")
    own = {name: options[name] for name in (*_OF_WEIGHTS, *_OF_BOTH)}
    with ExportProgress() as progress:
        report = export_checkpoint(model, output, **own, reduction=reduction, watcher=progress)
    _echo(report, reduction)


def _denoiser_options(
    denoiser: str, sigma: float | None, options: dict[str, Any]
) -> "DenoiserOptions":
    from smoothcert.engine.base.errors import InputError
    from smoothcert.export.composite.options import DenoiserOptions, Level

    if sigma is None:
        raise InputError(
            f"denoiser {denoiser} is given no sigma: expected the noise level that is certified, "
            "since a denoiser is made for one; give --sigma"
        )
    found = DenoiserOptions(
        denoiser,
        sigma,
        options["denoiser_range"],
        options["denoiser_shape"],
        options["diffusion"],
        options["denoiser_interpolation"] or "bicubic",
    )
    Level.of(found)  # refuse a schedule that is none before a classifier is made
    return found


def _export_composite(
    model: Path | None,
    output: Path,
    options: dict[str, Any],
    denoiser: "DenoiserOptions",
    reduction: "Reduction | None",
) -> None:
    from smoothcert.cli.shell.export_progress import ExportProgress
    from smoothcert.export.composite.compose import compose
    from smoothcert.export.foreign.options import ModelOptions
    from smoothcert.export.opening import open_model

    if model is not None and _is_onnx(model):
        _refuse(options, _OF_WEIGHTS, f"is of a checkpoint, and {model} is an ONNX file")
        classifier = open_model(model, ModelOptions.among(options))
        for line in classifier.said:
            echo(line)
        with ExportProgress() as progress:
            report = compose(classifier, output, denoiser, reduction=reduction, watcher=progress)
    else:
        report = _compose_checkpoint(model, output, options, denoiser, reduction)
    for line in report.lines():
        echo(line)


def _compose_checkpoint(
    model: Path | None,
    output: Path,
    options: dict[str, Any],
    denoiser: "DenoiserOptions",
    reduction: "Reduction | None",
) -> "CompositeReport":
    """The classifier's own export is a step on the way, which nobody sees by its path."""
    from smoothcert.cli.shell.export_progress import ExportProgress
    from smoothcert.engine.base.errors import InputError
    from smoothcert.engine.models.model import open_onnx
    from smoothcert.export.checkpoint_export import export_checkpoint
    from smoothcert.export.composite.compose import compose

    name = options["arch"] if model is None else model.name
    _refuse(options, _OF_ONNX, f"is of an ONNX file, and {name} is none")
    own = {name: options[name] for name in (*_OF_WEIGHTS, *_OF_BOTH)}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "classifier.onnx"
        try:
            with ExportProgress() as progress:
                exported = export_checkpoint(model, path, **own, watcher=progress)
        except InputError as error:
            raise type(error)(str(error).replace(str(path), str(model or name))) from None
        _echo(replace(exported, path=Path(str(name))), None)
        sha256 = exported.checkpoint_sha256
        with ExportProgress() as progress:
            return compose(open_onnx(path), output, denoiser, name=name, sha256=sha256,
                           reduction=reduction, watcher=progress)  # fmt: skip


def _refuse(options: dict[str, Any], names: tuple[str, ...], why: str, first: str = "") -> None:
    """Raise InputError for the first of `names` that was given."""
    from smoothcert.engine.base.errors import InputError

    for name in names:
        value = options[name]
        if value is not None and value != ():
            shown = value[0] if name == "ignore" else value
            shown = ",".join(map(str, shown)) if isinstance(shown, tuple) else shown
            spelled = "--" + name.replace("_", "-")
            raise InputError(f"{spelled} {shown} {why}: {first}leave it out")


def _echo(report: "ExportReport", reduction: "Reduction | None") -> None:
    from smoothcert.export.lines import preprocessing_line, reduced_lines

    spec = report.spec
    echo(f"{report.path}: {report.arch}, {report.num_classes} classes, input {spec.shape}")
    if report.assumed:
        echo(f"assumed {report.assumed}")
    for line in report.said:
        echo(line)
    echo(preprocessing_line(spec))
    echo(f"checkpoint sha256 {report.checkpoint_sha256}")
    echo(report.parity.line())
    for line in reduced_lines(report.reduced, reduction) if report.reduced else []:
        echo(line)
    for line in report.warnings:
        echo(f"warning: {line}", err=True)
