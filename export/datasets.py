"""Datasets by name: what a checkpoint that names one need not say itself."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Dataset:
    """What a dataset's name implies: input shape, classes, normalisation, photograph resize."""

    shape: tuple[int, int, int]
    num_classes: int
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    resize: int | None = None


DATASETS = {
    # The means and deviations that the original code's normalising layer uses.
    "cifar10": Dataset((3, 32, 32), 10, (0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)),
    "cifar100": Dataset((3, 32, 32), 100, (0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)),
    "imagenet": Dataset((3, 224, 224), 1000, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), 256),
    "mnist": Dataset((1, 28, 28), 10),
    "fashion-mnist": Dataset((1, 28, 28), 10),
}
