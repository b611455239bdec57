"""Options that say of a model or a source what the file does not say itself."""

from pathlib import Path

import click

from smoothcert.cli.grouping import grouped, option
from smoothcert.cli.shell.numbers import Number, Numbers
from smoothcert.engine.base.ranges import INPUT_END, MEAN, RESIZE, SIDE, STD, THRESHOLD

_FILE = click.Path(path_type=Path)

SOURCE = click.Path(readable=False)
"""A file, a folder or a pattern of images, as a text: completion offers files, and what is wrong
with it is said where it is opened."""


class _Pair(click.ParamType[tuple[str, ...]]):
    """The name of the images and that of their labels; how many there must be depends on whether
    there are labels."""

    name = "names"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """See click.ParamType."""
        if isinstance(value, tuple):
            return value
        names = tuple(part.strip() for part in str(value).split(","))
        if len(names) > 2 or not all(names):
            self.fail(f"{value!r} is no list of one or two names separated by a comma", param, ctx)
        return names


model_options = grouped(
    "Of a MODEL that others wrote",
    option("--input-shape", type=Numbers(SIDE, 3), help="C,H,W, where the model leaves them open."),
    option("--mean", type=Numbers(MEAN), help="Per channel, of [0,1] pixels."),
    option("--std", type=Numbers(STD), help="Per channel."),
    option(
        "--input-range",
        type=Numbers(INPUT_END, 2),
        metavar="LOW,HIGH",
        help="What pixels 0 and 255 become [default: 0,1].",
    ),
    option(
        "--resize",
        type=Number(RESIZE),
        help="Shorter side of photographs before the centre crop.",
    ),
    option("--interpolation", type=click.Choice(["bilinear", "bicubic"]), help="Of --resize."),
    option(
        "--layout",
        type=click.Choice(["nchw", "nhwc"]),
        help="Of its input [default: by the side that is 1 or 3].",
    ),
    option(
        "--logits", metavar="NAME", help="The output to read [default: the only one that fits]."
    ),
    option(
        "--threshold",
        type=Number(THRESHOLD),
        help="A single output above it is class 1, else class 0.",
    ),
)

source_options = grouped(
    "Of a SOURCE that others wrote",
    option(
        "--labels",
        type=_FILE,
        metavar="FILE",
        help="Lines `name class` or CSV with a header, of a folder of photographs.",
    ),
    option(
        "--classes",
        type=_FILE,
        metavar="FILE",
        help="Line k names the model's class k, as folders and labels do [default: ILSVRC-2012's"
        " list, or sorted names].",
    ),
    option(
        "--arrays",
        type=_Pair(),
        metavar="IMAGES,LABELS",
        help="Arrays in an .npz file or a folder of .npy files [default: images,labels; then the"
        " test split].",
    ),
    option(
        "--columns",
        type=_Pair(),
        metavar="IMAGE,LABEL",
        help="Columns in parquet files [default: image,label; then what is called like them].",
    ),
    option(
        "--unlabelled",
        is_flag=True,
        help="There are no labels: label -1, correct 0; --arrays and --columns take one name.",
    ),
)
