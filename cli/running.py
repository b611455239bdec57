"""What `certify` and `predict` share: their common options, and how a run is started."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

import click

from smoothcert.cli.cluster_options import Labour, cluster_options
from smoothcert.engine.statistics.procedures import Procedure

_Command = TypeVar("_Command", bound=Callable[..., Any])


def run_options(function: _Command) -> _Command:
    """MODEL SOURCE OUT.tsv, --sigma, and the options of selection and device."""
    for decorate in reversed(
        (
            click.argument("model", type=click.Path(path_type=Path)),
            click.argument("source"),
            click.argument("out", type=click.Path(path_type=Path), metavar="OUT.tsv"),
            click.option("--sigma", type=float, required=True, help="Noise level, [0,1] pixels."),
            click.option("--alpha", default=0.001, show_default=True, help="Failure probability."),
            click.option("--batch", type=int, help="Rows per batch [default: measured]."),
            click.option("--skip", default=1, show_default=True, help="Take every k-th image."),
            click.option("--max", "limit", default=-1, show_default=True, help="At most so many."),
            click.option("--shard", default="0/1", show_default=True, help="Part i of k: i/k."),
            click.option("--seed", default=0, show_default=True, help="Seed of the noise."),
            click.option(
                "--backend",
                type=click.Choice(["auto", "onnxruntime", "openvino", "tensorrt", "torch"]),
                default="auto",
                show_default=True,
                help="What runs the network; auto takes the fastest.",
            ),
            click.option(
                "--precision",
                type=click.Choice(["fp32", "bf16"]),
                help="Of an fp32 model's arithmetic [default: what the model says].",
            ),
            click.option(
                "--device",
                default="cpu",
                show_default=True,
                help="Where it runs: cpu, cuda:0, cuda:0,cuda:1 or cuda:all.",
            ),
            cluster_options,
            watch_options,
            click.option("--strict", is_flag=True, help="Stop at an image that cannot be read."),
        )
    ):
        function = decorate(function)
    return function


def watch_options(function: _Command) -> _Command:
    """--log-json and --metrics-port."""
    for decorate in reversed(
        (
            click.option("--log-json", is_flag=True, help="Events as JSON lines on stderr."),
            click.option("--metrics-port", type=int, help="Serve Prometheus metrics there."),
            click.option(
                "--metrics-host",
                default="127.0.0.1",
                show_default=True,
                help="On this address.",
            ),
        )
    ):
        function = decorate(function)
    return function


def _interrupt(signum: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def start_run(
    make_procedure: Callable[[float], Procedure],
    notes: dict[str, Any],
    model: Path,
    source: str,
    out: Path,
    sigma: float,
    batch: int | None,
    skip: int,
    limit: int,
    shard: str,
    seed: int,
    backend: str,
    device: str,
    precision: str | None,
    strict: bool,
    log_json: bool,
    metrics_port: int | None,
    metrics_host: str,
    ray: str | None,
    workers: int | None,
    threads: int | None,
    decode: str,
    reference: Path | None = None,
) -> None:
    """Open everything, run with progress, print one line. make_procedure takes the
    sampler's total variation; notes go into the manifest's run; reference is the model that
    certificates are transferred to."""
    # SIGTERM (a spot machine going away) ends a run as Ctrl-C does: flushed and resumable.
    signal.signal(signal.SIGTERM, _interrupt)
    from smoothcert.cli.watchers import watching
    from smoothcert.engine.log.manifest import manifest_path
    from smoothcert.engine.noise.lattice import LatticeGaussian
    from smoothcert.engine.run.certification import RunSettings, run_procedure
    from smoothcert.engine.sources import open_source
    from smoothcert.engine.sources.selection import Selection
    from smoothcert.export.opening import open_model

    law = LatticeGaussian(sigma)
    make_procedure(0.0)  # refuse useless settings before any file is opened
    selection = Selection.of_options(skip, limit, shard)
    labour = Labour(ray, workers, threads, decode)
    if ray is not None:
        source = os.path.abspath(source)  # noqa: PTH100 - a pattern; workers are in other folders
    opened = open_model(model)
    opened_reference = None if reference is None else open_model(reference)
    images = open_source(source, opened.spec, opened.num_classes)
    with watching(log_json, metrics_port, metrics_host) as watchers:
        summary = run_procedure(
            opened,
            images,
            out,
            law,
            make_procedure,
            selection,
            RunSettings(
                seed=seed,
                backend=backend,
                device=device,
                precision=precision,
                batch=batch,
                threads=threads,
                strict=strict,
                notes=notes,
                reference=opened_reference,
            ),
            watchers,
            labour.executor(watchers.event),
        )
    rate = summary.samples_now / summary.seconds
    click.echo(
        f"{out}: {summary.images} images, {summary.certified_now} of them now, in "
        f"{summary.seconds:.1f} s ({rate:,.0f} samples/s)"
    )
    if summary.failed:
        first = summary.failed[0]
        click.echo(
            f"smoothcert: {len(summary.failed)} of {summary.images} images could not be certified, "
            f"the first being image {first.index}: {first.reason}; {manifest_path(out)} names them "
            "all, and the same command tries them again",
            err=True,
        )
        raise click.exceptions.Exit(1)
