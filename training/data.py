"""What is trained on: sources, the network's input, the classes."""

from dataclasses import dataclass
from typing import Any

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.engine.base.ranges import CLASSES
from smoothcert.engine.sources import ImageSource, open_source
from smoothcert.engine.sources.base import split_of
from smoothcert.export.datasets import DATASETS
from smoothcert.training.splits import splits


@dataclass(frozen=True)
class TrainingData:
    """Labelled images to train and to test on, and what the network has to be like for them.

    test     None: the test columns of the log stay empty
    spec     the network's input, with its normalisation
    dataset  the name that decides the normalisation and the checkpoint's keys; None: neither
    """

    train: ImageSource
    test: ImageSource | None
    spec: InputSpec
    num_classes: int
    dataset: str | None

    def describe(self) -> dict[str, Any]:
        """What a resumed run compares."""
        return {
            "source": self.train.describe(),
            "test": self.test.describe() if self.test else None,
            "input": self.spec.to_metadata(),
            "classes": self.num_classes,
            "dataset": self.dataset,
        }


def open_data(
    source: str,
    test: str | None = None,
    *,
    dataset: str | None = None,
    num_classes: int | None = None,
    input_shape: tuple[int, int, int] | None = None,
    resize: int | None = None,
    mean: tuple[float, ...] | None = None,
    std: tuple[float, ...] | None = None,
) -> TrainingData:
    """Open the sources; what is not given follows from the dataset's name, else from the images.

    The folder of a whole data set (splits.py) is trained on its training images and tested on its
    test images. A CIFAR archive names its dataset itself. Images keep their own size, photographs
    become 3x224x224 from a resize to 256. Classes are the source's, else the dataset's, else the
    largest label + 1. Raises InputError where the sources cannot be had or do not fit.
    """
    if dataset is not None and dataset not in DATASETS:
        raise InputError(f"dataset {dataset!r} is unknown: expected {', '.join(DATASETS)}")
    if (mean is None) != (std is None):
        given, missing = ("mean", "std") if std is None else ("std", "mean")
        raise InputError(f"--{given} is given without --{missing}: expected both or neither")
    spec = _asked_spec(dataset, input_shape, resize)
    source, own_test = splits(source)
    test = test or own_test
    train = open_source(source, spec, num_classes)
    if split := split_of(train):
        raise InputError(
            f"{source}: holds a {split} split, which is not to be trained on: expected training "
            "images; name their files by a pattern, or save their arrays as images and labels"
        )
    described = train.describe()
    if dataset is None and described["kind"] in DATASETS:
        dataset = str(described["kind"])
    implied = DATASETS[dataset] if dataset else None
    num_classes = (
        num_classes
        or described["classes"]
        or (implied.num_classes if implied else None)
        or 1 + max(map(train.label, range(len(train))))
    )
    CLASSES.check(num_classes)
    if num_classes < 2:
        raise InputError(f"{source}: holds {num_classes} class: expected at least 2 to tell apart")
    if len(train) < 2:
        raise InputError(f"{source}: holds {len(train)} image: expected at least 2 to train on")
    fitted = spec or InputSpec.of_shape(*_sides(train))
    normalised = InputSpec(
        *fitted.shape,
        mean=mean if mean is not None else implied.mean if implied else (),
        std=std if std is not None else implied.std if implied else (),
        resize=fitted.resize,
        interpolation=fitted.interpolation,
    )
    # The model's size, whatever the test source's own is.
    tested = open_source(test, normalised, num_classes) if test else None
    return TrainingData(train, tested, normalised, num_classes, dataset)


def _asked_spec(
    dataset: str | None, input_shape: tuple[int, int, int] | None, resize: int | None
) -> InputSpec | None:
    """The input that options ask for, or None for the source's own."""
    if input_shape is not None:
        default = InputSpec.of_shape(*input_shape)
        return InputSpec(*input_shape, resize=resize or default.resize)
    if dataset is not None:
        implied = DATASETS[dataset]
        return InputSpec(*implied.shape, resize=resize or implied.resize)
    if resize is not None:
        raise InputError(f"--resize {resize} needs the size of the crop: give --input-shape C,H,W")
    return None


def _sides(source: ImageSource) -> tuple[int, int, int]:
    channels, height, width = source.image(0).shape
    return channels, height, width
