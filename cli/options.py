"""Options that several commands share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from smoothcert.cli.file_options import SOURCE
from smoothcert.cli.grouping import grouped, option
from smoothcert.cli.shell.numbers import Number, OneOrMore
from smoothcert.engine.base.ranges import (
    ALPHA,
    BATCH,
    MAX_IMAGES,
    PORT,
    SAMPLE,
    SEED,
    SIGMA,
    SKIP,
    THREADS,
    WORKERS,
)

_Command = TypeVar("_Command", bound=Callable[..., Any])


def run_options(function: _Command) -> _Command:
    """MODEL SOURCE OUT.tsv, --sigma, and the options of selection and device."""
    for decorate in reversed(
        (
            click.argument("model", type=click.Path(path_type=Path)),
            click.argument("data", metavar="SOURCE", type=SOURCE),
            click.argument("out", type=click.Path(path_type=Path), metavar="OUT.tsv"),
            click.option(
                "--sigma",
                type=OneOrMore(SIGMA),
                required=True,
                help="Noise level, [0,1] pixels; 0.25,0.5 writes OUT_0.25.tsv and OUT_0.5.tsv.",
            ),
            click.option(
                "--alpha",
                type=Number(ALPHA),
                default=0.001,
                show_default=True,
                help="Failure probability.",
            ),
            click.option("--batch", type=Number(BATCH), help="Rows per batch [default: measured]."),
            subset_options,
            click.option(
                "--seed",
                type=Number(SEED),
                help="Seed of the noise [default: fresh; a resumed run keeps its own].",
            ),
            click.option(
                "--backend",
                type=click.Choice(["auto", "onnxruntime", "openvino", "tensorrt", "torch"]),
                default="auto",
                show_default=True,
                help="What runs the network; auto takes the fastest.",
            ),
            click.option(
                "--precision",
                type=click.Choice(["auto", "fp32", "fp16", "bf16"]),
                help="Of an fp32 model's arithmetic [default: what the model says].",
            ),
            click.option("--tune", is_flag=True, help="On a GPU: measure, and take the fastest."),
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


subset_options = grouped(
    "Which images, in this order",
    option(
        "--indices",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Those it lists: 0 or 3-7, one or more a line; or integers in an .npy file.",
    ),
    option(
        "--sample", type=Number(SAMPLE), metavar="M", help="M of these at random, by --sample-seed."
    ),
    option("--stratified", is_flag=True, help="Of --sample: from each class its share."),
    option(
        "--sample-seed",
        type=Number(SEED),
        default=0,
        show_default=True,
        help="Of --sample; the same one draws the same images.",
    ),
    option(
        "--skip",
        type=Number(SKIP),
        default=1,
        show_default=True,
        help="Of these every k-th, from the first on: in index order, of a sample as drawn.",
    ),
    option(
        "--only-correct",
        is_flag=True,
        help="Of these those that MODEL classifies correctly without noise.",
    ),
    option(
        "--max",
        type=Number(MAX_IMAGES),
        default=-1,
        show_default=True,
        help="At most so many are certified (the original's --max is the index it stops at).",
    ),
    option("--shard", default="0/1", show_default=True, help="Part i of k: i/k, of one --seed."),
)


def watch_options(function: _Command) -> _Command:
    """--log-json and --metrics-port."""
    for decorate in reversed(
        (
            click.option("--log-json", is_flag=True, help="Events as JSON lines on stderr."),
            click.option(
                "--metrics-port", type=Number(PORT), help="Serve Prometheus metrics there."
            ),
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


def cluster_options(function: _Command) -> _Command:
    """--ray and what belongs to it: who does the work."""
    for decorate in reversed(
        (
            click.option("--ray", metavar="local|auto|ADDRESS", help="Run on a Ray cluster."),
            click.option(
                "--workers", type=Number(WORKERS), help="With --ray [default: one per GPU or core]."
            ),
            click.option(
                "--threads",
                type=Number(THREADS),
                help="Cores to use [default: all; --ray: 1 each].",
            ),
            click.option(
                "--decode",
                type=click.Choice(["auto", "workers", "driver"]),
                default="auto",
                show_default=True,
                help="With --ray: who reads the images.",
            ),
        )
    ):
        function = decorate(function)
    return function
