"""Options that say of a model or a source what the file does not say itself."""

from pathlib import Path

import click

from smoothcert.cli.grouping import grouped, option
from smoothcert.cli.options import Names, Numbers

_FILE = click.Path(path_type=Path)

model_options = grouped(
    "Of a MODEL that others wrote",
    option("--input-shape", type=Numbers(int, 3), help="C,H,W, where the model leaves them open."),
    option("--mean", type=Numbers(float), help="Per channel, of [0,1] pixels."),
    option("--std", type=Numbers(float), help="Per channel."),
    option(
        "--input-range",
        type=Numbers(float, 2),
        metavar="LOW,HIGH",
        help="What pixels 0 and 255 become [default: 0,1].",
    ),
    option("--resize", type=int, help="Shorter side of photographs before the centre crop."),
    option("--interpolation", type=click.Choice(["bilinear", "bicubic"]), help="Of --resize."),
    option(
        "--layout",
        type=click.Choice(["nchw", "nhwc"]),
        help="Of its input [default: by the side that is 1 or 3].",
    ),
    option(
        "--logits", metavar="NAME", help="The output to read [default: the only one that fits]."
    ),
    option("--threshold", type=float, help="A single output above it is class 1, else class 0."),
)

source_options = grouped(
    "Of a SOURCE that others wrote",
    option("--labels", type=_FILE, metavar="FILE", help="Lines `name class`, of a flat folder."),
    option("--classes", type=_FILE, metavar="FILE", help="Line k names the model's class k."),
    option("--arrays", type=Names(2), metavar="IMAGES,LABELS", help="Arrays in an .npz file."),
    option("--columns", type=Names(2), metavar="IMAGE,LABEL", help="Columns in parquet files."),
    option("--unlabelled", is_flag=True, help="There are no labels: label -1, correct 0."),
)
