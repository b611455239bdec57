"""What an object is that stands for images, by what it has: no library is imported to find out."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from smoothcert.engine.base.errors import InputError, one_line
from smoothcert.engine.base.wording import printable
from smoothcert.engine.sources.given_files import some_of

EXPECTED = (
    "a path, arrays (images, labels), a data set of torch (with __len__ and __getitem__) or a "
    "datasets.Dataset"
)


def name_of(data: object) -> str:
    """What a user calls it: the name of its class."""
    return printable(type(data).__name__)[:80]


def is_array(value: object) -> bool:
    """Whether it is an array of numpy, a tensor of torch, or another that numpy can read."""
    return isinstance(value, np.ndarray) or (
        hasattr(value, "__array__")
        and hasattr(value, "dtype")
        and isinstance(getattr(value, "shape", None), tuple)
    )


def array_of(value: Any, where: str) -> npt.NDArray[Any]:
    """An array or tensor, of whatever device, as numpy has it; raises InputError, naming `where`,
    where numpy does not."""
    try:
        # A tensor may lie on a GPU or be part of a graph of gradients.
        found = value.detach().cpu() if hasattr(value, "detach") else value
        return np.asarray(found)
    except Exception as error:  # of whatever library it is
        raise InputError(
            f"{where}: a {name_of(value)} of {printable(getattr(value, 'dtype', '?'))} cannot be "
            f"read by numpy ({printable(one_line(error))}): expected uint8, or float32 in 0..1"
        ) from None


def arrays_in(data: object) -> tuple[Any, Any] | None:
    """Images and labels (None: there are none) where an object is arrays; None for another."""
    if is_array(data):
        return data, None
    if isinstance(data, tuple | list) and len(data) == 2 and is_array(data[0]):
        return data[0], data[1]
    return None


def check_dataset(data: Any) -> None:
    """Raise InputError, with what to do, unless an object has images by number: those that only
    come one after the other, and several splits, have not."""
    name = name_of(data)
    if isinstance(data, Mapping):
        raise InputError(_of_mapping(data, name))
    if isinstance(data, tuple) or callable(getattr(data, "named_parameters", None)):
        raise InputError(f"{name}: is no source of images: expected {EXPECTED}")
    if hasattr(data, "dataset") and hasattr(data, "batch_size"):
        raise InputError(
            f"{name}: gives batches, in an order that may change: expected {EXPECTED}; give its "
            ".dataset"
        )
    streams = any(base.__name__ == "IterableDataset" for base in type(data).__mro__)
    if streams or not (hasattr(data, "__getitem__") and hasattr(data, "__len__")):
        if not (streams or hasattr(data, "__iter__")):
            raise InputError(f"{name}: is no source of images: expected {EXPECTED}")
        raise InputError(
            f"{name}: gives images only one after the other, and a run asks for each by its "
            f"number: expected {EXPECTED}; where it fits in memory, give list(data)"
        )


def _of_mapping(data: Mapping[Any, Any], name: str) -> str:
    splits = [str(key) for key, value in data.items() if is_hugging_face(value)]
    if splits:
        chosen = "test" if "test" in splits else splits[0]
        return (
            f"{name}: has the splits {some_of(splits)}: expected one of them; give data[{chosen!r}]"
        )
    return f"{name}: is no source of images: expected {EXPECTED}"


def is_hugging_face(data: object) -> bool:
    """Whether it is a `datasets.Dataset`, or is made like one: rows of named columns."""
    needed = ("features", "column_names", "with_format", "select_columns", "__len__")
    return all(hasattr(data, name) for name in needed)


def wrapped(data: Any) -> Iterator[Any]:
    """A data set, and those that it takes parts of, one inside the other (torch's Subset)."""
    for _ in range(100):
        yield data
        if not (hasattr(data, "dataset") and hasattr(data, "indices")):
            return
        data = data.dataset
