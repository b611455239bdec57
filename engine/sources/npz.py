"""An .npz file with `images` and `labels`, as numpy.savez writes it."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.lib.npyio import NpzFile

from smoothcert.engine.base.errors import InputError, one_line
from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.engine.sources.arrays import ArraySource


def open_npz(path: Path, name: str, spec: InputSpec | None, num_classes: int | None) -> ArraySource:
    """The source of `images`, uint8 [N, H, W, C] or [N, H, W], and `labels`, integers [N].

    Pickled (object) arrays are refused, never loaded. Raises InputError.
    """
    return ArraySource("npz", name, [path], *_load(path), spec, num_classes)


def _load(path: Path) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    form = "expected a numpy .npz file with the arrays images and labels"
    try:
        with np.load(path, allow_pickle=False) as archive:
            if not isinstance(archive, NpzFile):
                raise InputError(f"{path}: holds a single array: {form}; write it with numpy.savez")
            for array in ("images", "labels"):
                if array not in archive.files:
                    raise InputError(
                        f"{path}: has no array {array} (it has {archive.files}): {form}"
                    )
            return archive["images"], archive["labels"]
    except InputError:
        raise
    # A damaged zip, member or header surfaces as any of a dozen exceptions of zipfile, zlib, numpy.
    except Exception as error:
        reason = one_line(error, None)
        raise InputError(f"{path}: cannot be loaded ({reason}): {form}, none pickled") from None
