"""Arrays and tensors of a program as a source: images, and labels where there are any."""

import hashlib
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.engine.sources.arrays.array_source import ArraySource
from smoothcert.engine.sources.arrays.channels import channels_last
from smoothcert.engine.sources.arrays.naming import DEFAULT, Chosen
from smoothcert.engine.sources.arrays.open_arrays import open_arrays
from smoothcert.engine.sources.objects.kinds import array_of, is_array
from smoothcert.engine.sources.options import SourceOptions

KIND = "arrays"
_NAME = "arrays"
_BLOCK = 1 << 26  # bytes at a time


class HeldArrays(ArraySource):
    """An ArraySource whose arrays are a program's own; its digest is that of what they hold, as it
    is read: of 8-bit pixels and of class indices, whatever they came as."""

    @cached_property
    def _digest(self) -> str:
        sha256 = hashlib.sha256(repr(self._images.shape).encode())
        rows = max(1, _BLOCK * len(self._images) // max(1, self._images.nbytes))
        for start in range(0, len(self._images), rows):
            sha256.update(np.ascontiguousarray(self._images[start : start + rows]).tobytes())
        sha256.update(self._labels.astype("<i8").tobytes())
        return sha256.hexdigest()


def open_held(
    images: Any,
    labels: Any,
    spec: InputSpec | None,
    num_classes: int | None,
    options: SourceOptions,
) -> HeldArrays:
    """The source of images uint8 [N, H, W, C], [N, H, W] or [N, C, H, W] (or k/255, see to_bytes)
    and labels [N]; of None, or with the option `unlabelled`, every label is -1. Raises InputError.
    """
    options.refuse_unused(_NAME, "in memory", "classes")
    held = {DEFAULT[0]: array_of(images, _NAME)}
    if labels is not None and not options.unlabelled:
        held[DEFAULT[1]] = _labels(labels)
    chosen = Chosen(DEFAULT[0], DEFAULT[1] if DEFAULT[1] in held else None)
    source = open_arrays(
        KIND, _NAME, [Path(_NAME)], chosen, held.__getitem__, spec, num_classes, options, HeldArrays
    )
    assert isinstance(source, HeldArrays)
    return source


def _labels(labels: Any) -> npt.NDArray[Any]:
    if is_array(labels):
        return array_of(labels, _NAME)
    try:
        return np.asarray(labels)
    except ValueError:  # lists of several lengths
        raise InputError(
            f"{_NAME}: labels are no list of numbers: expected class indices [N]"
        ) from None


def shape_of_arrays(images: Any, labels: Any) -> tuple[int, int, int]:
    """(C, H, W) of the images; raises InputError where they are none."""
    array = array_of(images, _NAME)
    count = None if labels is None else _labels(labels).size
    stack, _ = channels_last(array, count, None, _NAME)
    if stack.ndim not in (3, 4) or not stack.size:
        raise InputError(
            f"{_NAME}: images are {array.dtype} {list(array.shape)}: expected [N, H, W, C], "
            "[N, H, W] or [N, C, H, W]"
        )
    height, width, channels = stack.shape[1:] if stack.ndim == 4 else (*stack.shape[1:], 1)
    return channels, height, width
