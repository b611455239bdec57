"""A folder of .npy files, each an array, as CIFAR-10.1 and CIFAR-10-C are published."""

import warnings
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from smoothcert.engine.base.errors import InputError, one_line
from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.engine.base.regular import open_regular
from smoothcert.engine.base.wording import printable
from smoothcert.engine.sources.arrays.array_source import ArraySource
from smoothcert.engine.sources.arrays.naming import choose
from smoothcert.engine.sources.arrays.npy_header import NpyHeader
from smoothcert.engine.sources.arrays.open_arrays import open_arrays
from smoothcert.engine.sources.options import SourceOptions

_SUFFIX = ".npy"
_FORM = "expected images.npy and labels.npy, or other names of the kind"


def is_npy(name: str) -> bool:
    """Whether a file of this name holds one array."""
    return name.lower().endswith(_SUFFIX) and not name.startswith(".")


def open_npy_folder(
    folder: Path,
    name: str,
    spec: InputSpec | None,
    num_classes: int | None,
    options: SourceOptions,
) -> ArraySource:
    """The source of two of the arrays in a folder, which are called by their files' names without
    the suffix: see naming.choose and open_arrays.

    Arrays are mapped, not read, and pickled (object) ones are refused, never loaded. Raises
    InputError.
    """
    options.refuse_unused(name, "a folder of .npy files", "arrays", "classes")
    files = {
        file.name[: -len(_SUFFIX)]: file for file in sorted(folder.iterdir()) if is_npy(file.name)
    }
    arrays = {array: _map(file) for array, file in files.items()}
    shapes = {array: found.shape for array, found in arrays.items()}
    chosen = choose(shapes, options, printable(folder), _FORM)
    used = [files[array] for array in chosen.names]
    return open_arrays("npy", name, used, chosen, arrays.__getitem__, spec, num_classes, options)


def _map(file: Path) -> npt.NDArray[Any]:
    with open_regular(file, "a .npy file") as opened:
        header = NpyHeader.read(opened)
    if header is None:
        raise _unloadable(file, "no header of numpy's")
    # An array without values has nothing to map.
    mode: Literal["r"] | None = "r" if header.nbytes else None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a header that Python 2 wrote
            found: npt.NDArray[Any] = np.load(file, mmap_mode=mode, allow_pickle=False)
    # A damaged file surfaces as any of several exceptions of numpy and mmap.
    except Exception as error:
        raise _unloadable(file, one_line(error)) from None
    return found


def _unloadable(file: Path, reason: str) -> InputError:
    return InputError(
        f"{printable(file)}: cannot be loaded ({printable(reason)}): expected an array, none "
        "pickled, as numpy.save writes it"
    )
