"""`smoothcert bench`: samples per second against the original loop, one of torch.compile, and the
bare runtime."""

import json
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from smoothcert.cli.file_options import model_options
from smoothcert.cli.grouping import GroupedCommand
from smoothcert.cli.shell.numbers import Number
from smoothcert.cli.shell.printing import echo, echo_result
from smoothcert.engine.base.ranges import (
    BATCH,
    BENCH_BUDGET,
    CLASSES,
    ROUNDS,
    SECONDS,
    SIGMA,
    THREADS,
)

if TYPE_CHECKING:
    from smoothcert.export.precision.reduce import Precision


@click.command("bench", cls=GroupedCommand)
@click.argument("model", type=click.Path(path_type=Path), required=False)
@click.option("--arch", help="An architecture with random weights, instead of MODEL.")
@click.option(
    "--against",
    help="reference, runtime, compiled, or several of them [default: what can be had].",
)
@click.option(
    "--precision",
    type=click.Choice(["fp32", "fp16", "bf16", "int8", "fp8"]),
    help="[default: what the model says]",
)
@click.option("--batch", type=Number(BATCH), help="Rows per batch [default: measured].")
@click.option("--backend", default="auto", show_default=True, help="What runs the network.")
@click.option("--device", default="cpu", show_default=True, help="Where it runs.")
@click.option("--tune", is_flag=True, help="On a GPU: measure, and take the fastest.")
@click.option(
    "--sigma",
    type=Number(SIGMA),
    default=0.25,
    show_default=True,
    help="Noise level, [0,1] pixels.",
)
@click.option("--num-classes", type=Number(CLASSES), help="Of --arch.")
@click.option("--threads", type=Number(THREADS), help="Cores [default: all usable].")
@click.option(
    "--reference-batch",
    type=Number(BATCH),
    help="Of the original loop [default: 1000, or as many as fit].",
)
@click.option(
    "--rounds", type=Number(ROUNDS), default=15, show_default=True, help="At most so many."
)
@click.option(
    "--seconds",
    type=Number(SECONDS),
    default=0.3,
    show_default=True,
    help="Per loop and round, at least.",
)
@click.option(
    "--budget",
    type=Number(BENCH_BUDGET),
    default=40.0,
    show_default=True,
    help="Seconds in which rounds are to end.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.option("--export-only", type=click.Path(path_type=Path), metavar="MODEL.onnx",
              help="Write the network of --arch and measure nothing.")  # fmt: skip
@model_options
def command(
    model: Path | None,
    arch: str | None,
    against: str | None,
    precision: "Precision | None",
    input_shape: tuple[int, int, int] | None,
    num_classes: int | None,
    as_json: bool,
    export_only: Path | None,
    sigma: float,
    backend: str,
    device: str,
    batch: int | None,
    threads: int | None,
    tune: bool,
    **settings: Any,
) -> None:
    """Measure the certification loop in samples per second.

    In one process and interleaved: certification as `certify` runs it; the original loop (repeat,
    randn, add, argmax, count in Python) in torch, with its batch of 1,000 and with ours; what you
    would write yourself, torch.compile in the same precision (for int8 in the best of floating
    point) with noise and counts on the device, which on a CPU needs a C++ compiler; the bare
    runtime on a constant batch; the best of several large products and convolutions in the same.

    Rounds end when the quartiles of all figures are within 5 %, or by --rounds or --budget.

    With --arch, --input-shape is that of the network (default: of its usual dataset).
    """
    from smoothcert.engine.backends.base import Compute
    from smoothcert.engine.base.errors import InputError
    from smoothcert.engine.base.outputs import check_output
    from smoothcert.engine.bench.comparison import BenchSettings, compare
    from smoothcert.export.foreign.options import ModelOptions, spelled
    from smoothcert.export.opening import open_model
    from smoothcert.export.random_model import write_random_model

    begun = time.perf_counter()
    wanted = _wanted(against)
    if (model is None) == (arch is None):
        raise InputError("expected MODEL or --arch NAME, one of them")
    of_model = {name: settings.pop(name) for name in ModelOptions.names() & settings.keys()}
    options = ModelOptions.among({**of_model, "input_shape": input_shape})
    if arch is None and (export_only or num_classes):
        raise InputError("--export-only and --num-classes are for --arch NAME")
    if arch is not None and (others := options.given().keys() - {"input_shape"}):
        raise InputError(f"{spelled(min(others))} is for MODEL: expected a file with it")
    with tempfile.TemporaryDirectory() as folder:
        if model is not None:
            opened = open_model(model, options)
            for sentence in () if as_json else opened.said:
                echo(f"{model}: {sentence}")
        else:
            assert arch is not None
            if export_only is not None:
                check_output(export_only)
            opened = write_random_model(
                arch,
                export_only or Path(folder) / f"{arch.rpartition(':')[2]}.onnx",
                input_shape=input_shape,
                num_classes=num_classes,
                precision=precision or "fp32",
                target="cpu" if device == "cpu" else "gpu",
            )
        if export_only is not None:
            echo(f"{export_only}: {arch} with random weights, input {opened.spec.shape}")
            return
        compute = Compute(
            backend=backend,
            device=device,
            precision=precision,
            batch=batch,
            threads=threads,
            tune=tune,
        )
        module = _torch_network(opened, wanted, explicit=against is not None)
        result = compare(
            opened,
            module,
            BenchSettings(sigma, compute, **settings),
            against=wanted,
            must=against is not None,
            begun=begun,
        )
    for rival, reason in result["not_measured"].items():
        echo(f"no {rival}: {reason}", err=True)
    if as_json:
        echo_result(json.dumps(result))
    else:
        _print(result)


def _wanted(against: str | None) -> tuple[str, ...]:
    from smoothcert.engine.base.errors import InputError
    from smoothcert.engine.bench.comparison import RIVALS

    wanted = RIVALS if against is None else tuple(dict.fromkeys(against.split(",")))
    if unknown := set(wanted) - set(RIVALS):
        raise InputError(
            f"--against {min(unknown)!r} is unknown: expected some of {','.join(RIVALS)}"
        )
    return wanted


def _torch_network(model: Any, wanted: tuple[str, ...], *, explicit: bool) -> Any:
    """The model's architecture in torch, random weights (its speed is the same), or None."""
    from smoothcert.engine.base.errors import InputError
    from smoothcert.export.random_model import random_module

    in_torch = [rival for rival in wanted if rival != "runtime"]
    if not in_torch:
        return None
    arch = model.metadata.get("arch")
    try:
        if not arch:
            raise InputError(
                f"model {model.given} does not name its architecture, so there is no torch network "
                "to run: expected a model that `smoothcert export` wrote; use --against runtime"
            )
        return random_module(arch, model.num_classes, model.spec.shape)
    except InputError as error:
        if explicit:
            raise
        echo(f"no {', '.join(in_torch)}: {error}", err=True)
        return None


def _print(result: dict[str, Any]) -> None:
    from smoothcert.engine.bench.shapes import SHAPES

    echo_result(
        f"{result['arch'] or result['model']} {tuple(result['input_shape'])}, {result['runtime']}, "
        f"{result['precision']}, batch {result['batch']}, {result['threads']} threads, "
        f"{result['machine']['processor']}; medians of {result['rounds']} rounds (quartiles)"
    )
    for name, reason in result["passed_over"].items():
        echo_result(f"{name} was passed over: {reason}")
    if result["took"]:
        echo_result(f"tuned: {result['took']}")
    spread, said = result["spread"], set[str]()
    for title, key, ratio in (
        ("certification loop", "samples_per_second", None),
        ("bare runtime", "runtime_samples_per_second", "fraction_of_runtime"),
        (f"original loop, batch {result['reference_batch']}", "reference_samples_per_second",
         "speedup_over_reference"),
        (f"original loop, batch {result['batch']}", "reference_same_batch_samples_per_second",
         "speedup_over_reference_same_batch"),
        (f"torch.compile {result['compiled_precision']}, batch {result['compiled_batch']}",
         "compiled_samples_per_second", "speedup_over_compiled"),
    ):  # fmt: skip
        if result[key] is None or title in said:
            continue
        said.add(title)
        echo_result(f"{title:30} {result[key]:10,.1f} samples/s ({_range(spread[key], ',.1f')})")
        if ratio:
            echo_result(
                f"{'  certification / this':30} {result[ratio]:10.3f}"
                f" ({_range(spread[ratio], '.3f')})"
            )
    if (result["reference_batch"] or 1000) < 1000:
        echo_result(
            "the original loop's own batch is 1,000: --reference-batch 1000 takes it, however long "
            "that is"
        )
    if result["stages"]:
        parts = ", ".join(f"{name} {share:.1%}" for name, share in result["stages"].items())
        echo_result(f"time of the certification loop: {parts}")
    if result["gflops"]:
        line = f"{result['gflop_per_sample']:.3g} GFLOP per sample, {result['gflops']:,.1f} GFLOP/s"
        if result["share_of_limit"]:
            line += (
                f": {result['share_of_limit']:.1%} of {result['limit_gflops']:,.0f} GFLOP/s, the "
                f"best of {len(SHAPES)} large products and convolutions here "
                f"({result['limit_shape']})"
            )
        echo_result(line)


def _range(extent: tuple[float, float], form: str) -> str:
    return f"{extent[0]:{form}} .. {extent[1]:{form}}"
