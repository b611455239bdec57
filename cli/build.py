"""`smoothcert build`: an ONNX model as a TensorRT engine."""

import re
from pathlib import Path
from typing import Any

import click

from smoothcert.cli.file_options import model_options
from smoothcert.cli.grouping import GroupedCommand
from smoothcert.cli.shell.numbers import Number
from smoothcert.cli.shell.printing import echo, is_quiet
from smoothcert.engine.base.ranges import (
    AUX_STREAMS,
    BATCH,
    GPU,
    OPTIMIZATION_LEVEL,
    WORKSPACE,
)


@click.command("build", cls=GroupedCommand)
@click.argument("model", type=click.Path(path_type=Path), metavar="MODEL")
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True)
@click.option(
    "--batch", type=Number(BATCH), help="Rows of every run [default: the model's, or by size]."
)
@click.option(
    "--runtime",
    type=click.Choice(["tensorrt", "tensorrt-rtx"]),
    help="[default: tensorrt where it is installed, else tensorrt-rtx]",
)
@click.option("--target", help="Compute capabilities: sm80,sm89 [default: this machine's GPU].")
@click.option("--device", type=Number(GPU), default=0, show_default=True, help="GPU to build on.")
@click.option(
    "--optimization-level", type=Number(OPTIMIZATION_LEVEL), help="0..5 [default: the runtime's]."
)
@click.option(
    "--workspace", type=Number(WORKSPACE), help="MiB of scratch memory for layers [default: all]."
)
@click.option(
    "--aux-streams", type=Number(AUX_STREAMS), help="Streams for branches [default: the runtime's]."
)
@click.option(
    "--compatibility",
    type=click.Choice(["none", "ampere-plus", "same-capability"]),
    default="none",
    show_default=True,
    help="Other GPUs that may run it (full TensorRT).",
)
@click.option("--version-compatible", is_flag=True, help="Later versions may run it.")
@click.option("--tf32/--no-tf32", default=True, show_default=True, help="For float32 layers.")
@click.option("--force", is_flag=True, help="Replace an existing output.")
@model_options
def command(
    model: Path,
    output: Path,
    batch: int | None,
    runtime: str | None,
    target: str | None,
    device: int,
    optimization_level: int | None,
    workspace: int | None,
    aux_streams: int | None,
    compatibility: str,
    version_compatible: bool,
    tf32: bool,
    force: bool,
    **of_model: Any,
) -> None:
    """Build MODEL (ONNX, or a checkpoint that says all itself) into a TensorRT plan.

    The precision is the model's: export it in the one you want. OUTPUT.json, beside the plan, says
    what it computes; `certify OUTPUT` needs both and no ONNX file.
    """
    from smoothcert.cli.shell.phases import BuildProgress
    from smoothcert.engine.backends.tensorrt.build import build_plan
    from smoothcert.engine.backends.tensorrt.options import BuildOptions
    from smoothcert.engine.backends.tensorrt.plan import record_path
    from smoothcert.engine.base.outputs import check_output
    from smoothcert.export.foreign.options import ModelOptions
    from smoothcert.export.opening import onnx_at

    for file in (output, record_path(output)):
        check_output(
            file, replace=force, inputs=(model,), choice="choose another output, or --force"
        )
    options = BuildOptions(
        batch=batch,
        targets=_targets(target),
        optimization_level=optimization_level,
        workspace=workspace,
        aux_streams=aux_streams,
        compatibility=compatibility,
        version_compatible=version_compatible,
        tf32=tf32,
    )
    onnx, said = onnx_at(model, ModelOptions.among(of_model))
    for sentence in said:
        echo(f"{model}: {sentence}")
    with BuildProgress(quiet=is_quiet()) as progress:
        record = build_plan(
            onnx,
            output,
            options,
            runtime=runtime,
            device=device,
            watcher=progress,
        )
    layers = ", ".join(f"{count} {name}" for name, count in record.build["layers"].items())
    echo(
        f"{output}: {record.precision}, batch {record.batch}, {record.num_classes} classes, input "
        f"{record.spec.shape} {record.input_scalar}, logits {record.logits_scalar}"
    )
    echo(
        f"{record.runtime} {record.version} for {record.gpu or ','.join(record.targets) or 'any'}: "
        f"{record.size / 1e6:.1f} MB in {record.build['seconds']:.1f} s; layers {layers}"
    )
    echo(f"sha256 {record.sha256}")


def _targets(text: str | None) -> tuple[str, ...]:
    from smoothcert.engine.base.errors import InputError

    if text is None:
        return ()
    targets = tuple(dict.fromkeys(part.strip().lower() for part in text.split(",")))
    for target in targets:
        if not re.fullmatch("sm[0-9]{2,4}", target):
            raise InputError(f"target {target!r} is no compute capability: expected sm90, or more")
    return targets
