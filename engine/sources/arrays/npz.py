"""An .npz file of images and labels, as numpy.savez writes it, under whatever names."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.lib import format as npy
from numpy.lib.npyio import NpzFile

from smoothcert.engine.base.errors import InputError, one_line
from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.engine.sources.arrays.array_source import ArraySource
from smoothcert.engine.sources.arrays.naming import choose
from smoothcert.engine.sources.arrays.open_arrays import open_arrays
from smoothcert.engine.sources.options import NOTHING_SAID, SourceOptions

_FORM = "expected a numpy .npz file with the arrays images and labels"


def open_npz(
    path: Path,
    name: str,
    spec: InputSpec | None,
    num_classes: int | None,
    options: SourceOptions = NOTHING_SAID,
) -> ArraySource:
    """The source of `images`, uint8 [N, H, W, C] or [N, H, W], and `labels`, integers [N]; or of
    other names and forms, as naming.choose and open_arrays find them.

    Pickled (object) arrays are refused, never loaded. Raises InputError.
    """
    options.refuse_unused(name, "an .npz file", "arrays", "classes")
    try:
        with np.load(path, allow_pickle=False) as archive:
            if not isinstance(archive, NpzFile):
                raise InputError(
                    f"{path}: holds a single array: {_FORM}; write it with numpy.savez"
                )
            shapes = {array: _shape(archive, array) for array in archive.files}
            chosen = choose(shapes, options, str(path), _FORM)

            def load(array: str) -> npt.NDArray[Any]:
                found = archive[array]
                if not isinstance(found, np.ndarray):
                    raise InputError(f"{path}: its member {array} is no array: {_FORM}")
                return found

            return open_arrays("npz", name, [path], chosen, load, spec, num_classes, options)
    except InputError:
        raise
    # A damaged zip, member or header surfaces as any of a dozen exceptions of zipfile, zlib, numpy.
    except Exception as error:
        reason = one_line(error, None)
        raise InputError(f"{path}: cannot be loaded ({reason}): {_FORM}, none pickled") from None


def _shape(archive: NpzFile, array: str) -> tuple[int, ...]:
    """The shape of an array by its header; () where it has none."""
    assert archive.zip is not None, "an archive that is open"
    try:
        with archive.zip.open(f"{array}.npy") as stream:
            version = npy.read_magic(stream)
            read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
            shape: tuple[int, ...] = read(stream)[0]
            return shape
    except (KeyError, ValueError):
        return ()
