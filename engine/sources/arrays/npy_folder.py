"""A folder of .npy files, each an array, as CIFAR-10.1 and CIFAR-10-C are published."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from smoothcert.engine.base.errors import InputError, one_line
from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.engine.sources.arrays.array_source import ArraySource
from smoothcert.engine.sources.arrays.naming import choose
from smoothcert.engine.sources.arrays.open_arrays import open_arrays
from smoothcert.engine.sources.given_files import check_regular, printable
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
    check_regular(file)
    try:
        found = np.load(file, mmap_mode="r", allow_pickle=False)
    # A damaged header surfaces as any of several exceptions of numpy, mmap and ast.
    except Exception as error:
        raise InputError(
            f"{printable(file)}: cannot be loaded ({one_line(error, None)}): expected an array, "
            "none pickled, as numpy.save writes it"
        ) from None
    if not isinstance(found, np.ndarray):
        raise InputError(f"{printable(file)}: is no .npy file: expected what numpy.save writes")
    return found
