"""`smoothcert train`: a base classifier that is accurate under noise."""

import os
from pathlib import Path
from typing import Any

import click

from smoothcert.cli.file_options import SOURCE
from smoothcert.cli.grouping import GroupedCommand
from smoothcert.cli.shell.numbers import Number, Numbers
from smoothcert.cli.shell.printing import echo, is_quiet
from smoothcert.engine.base.ranges import (
    CLASSES,
    CONSISTENCY,
    DECODERS,
    ETA,
    GAMMA,
    LR,
    LR_STEP,
    MEAN,
    MOMENTUM,
    NOISES,
    PICTURED_SIGMA,
    RESIZE,
    SEED,
    SIDE,
    STD,
    TRAINING_BATCH,
    TRAINING_EPOCHS,
    WEIGHT_DECAY,
)


@click.command("train", cls=GroupedCommand)
@click.argument("source", type=SOURCE)
@click.argument("outdir", type=click.Path(path_type=Path))
@click.option("--arch", required=True, help="Architecture, or pkg.module:factory.")
@click.option(
    "--sigma", type=Number(PICTURED_SIGMA), required=True, help="Noise level, [0,1] pixels."
)
@click.option(
    "--test",
    type=SOURCE,
    metavar="SOURCE",
    help="Images to test each epoch on [default: the test images in SOURCE].",
)
@click.option("--epochs", type=Number(TRAINING_EPOCHS), default=90, show_default=True)
@click.option(
    "--batch",
    type=Number(TRAINING_BATCH),
    default=256,
    show_default=True,
    help="Images per step, of all GPUs.",
)
@click.option("--lr", type=Number(LR), default=0.1, show_default=True, help="Learning rate.")
@click.option("--schedule", default="step", show_default=True, help="step or one-cycle.")
@click.option(
    "--lr-step",
    type=Number(LR_STEP),
    default=30,
    show_default=True,
    help="Epochs between steps down.",
)
@click.option(
    "--gamma", type=Number(GAMMA), default=0.1, show_default=True, help="Factor of a step down."
)
@click.option("--momentum", type=Number(MOMENTUM), default=0.9, show_default=True)
@click.option("--weight-decay", type=Number(WEIGHT_DECAY), default=1e-4, show_default=True)
@click.option("--dataset", help="cifar10, imagenet...: normalisation, keys of the checkpoint.")
@click.option("--mean", type=Numbers(MEAN), help="Per channel, of [0,1] pixels.")
@click.option("--std", type=Numbers(STD), help="Per channel.")
@click.option("--input-shape", type=Numbers(SIDE, 3), help="C,H,W [default: the images'].")
@click.option(
    "--resize", type=Number(RESIZE), help="Shorter side of test photographs before the crop."
)
@click.option("--num-classes", type=Number(CLASSES), help="[default: the source's]")
@click.option(
    "--crop-flip/--no-crop-flip",
    default=None,
    help="Random crops and flips [default: for colour images].",
)
@click.option(
    "--consistency",
    type=Number(CONSISTENCY),
    default=0.0,
    metavar="LAMBDA",
    help="Consistency regularisation.",
)
@click.option(
    "--consistency-noises",
    type=Number(NOISES),
    default=2,
    show_default=True,
    help="Noisy copies for it.",
)
@click.option("--eta", type=Number(ETA), default=0.5, show_default=True, help="Its entropy term.")
@click.option(
    "--workers",
    default=4,
    type=Number(DECODERS),
    show_default=True,
    help="Processes that decode photographs.",
)
@click.option("--device", help="cpu, cuda or cuda:0 [default: the GPU if there is one].")
@click.option("--bf16", is_flag=True, help="Run the network in bfloat16.")
@click.option("--seed", type=Number(SEED), default=0, show_default=True)
def command(
    source: str,
    outdir: Path,
    test: str | None,
    dataset: str | None,
    mean: tuple[float, ...] | None,
    std: tuple[float, ...] | None,
    input_shape: tuple[int, int, int] | None,
    resize: int | None,
    num_classes: int | None,
    crop_flip: bool | None,
    workers: int,
    device: str | None,
    **settings: Any,
) -> None:
    """Train a classifier on the images of SOURCE with Gaussian noise of level SIGMA.

    Of an unpacked CIFAR archive, a folder of idx files, or a folder of train and val, SOURCE may be
    the folder: it is then trained on the training images.

    OUTDIR gets checkpoint.pth.tar, which `smoothcert certify` takes as its MODEL, and log.txt. The
    same command goes on where an interrupted one stopped. On several GPUs: torchrun
    --nproc-per-node N -m smoothcert.cli.main train ...
    """
    from smoothcert.engine.base.errors import require

    require("torch", "export", "training")
    from smoothcert.cli.shell.phases import TrainingProgress
    from smoothcert.engine.sources.base import said_of
    from smoothcert.training.data import open_data
    from smoothcert.training.settings import TrainSettings
    from smoothcert.training.trainer import train

    data = open_data(
        source,
        test,
        dataset=dataset,
        num_classes=num_classes,
        input_shape=input_shape,
        resize=resize,
        mean=mean,
        std=std,
    )
    if os.environ.get("RANK", "0") == "0":  # of torchrun's processes the first
        for images in filter(None, (data.train, data.test)):
            for sentence in said_of(images):
                echo(f"{images.describe()['name']}: {sentence}")
    if crop_flip is None:
        crop_flip = data.spec.channels == 3
    with TrainingProgress(quiet=is_quiet()) as progress:
        summary = train(
            TrainSettings(crop_flip=crop_flip, **settings),
            data,
            outdir,
            device=device,
            workers=workers,
            watcher=progress,
        )
    if not summary.first:
        return
    last = summary.epochs[-1]
    tested = f" and {last.test_accuracy:.1f} % of the test images" if data.test else ""
    echo(
        f"{summary.checkpoint}: {summary.now} of {len(summary.epochs)} epochs now, in "
        f"{summary.seconds:.1f} s; under noise right on {last.train_accuracy:.1f} % of the "
        f"training images{tested}"
    )
