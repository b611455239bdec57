"""Sources that hold all their images as one array: npz, idx, CIFAR."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.engine.base.memory import check_fits
from smoothcert.engine.base.wording import printable
from smoothcert.engine.sources import digest, photograph
from smoothcert.engine.sources.labelling.labels import check_labels, no_labels
from smoothcert.engine.sources.options import READ_AS


class ArraySource:
    """Images uint8 [N, H, W, C] or [N, H, W] (grey) with integer labels [N].

    Pixels are delivered as they are where (H, W) is the model's; where it is not and the model
    resizes, each image is resized and cropped as a photograph is. Channels are never converted.

    Where `spec` is None, images are delivered in their own size.

    `files` are what the arrays were read from: errors name the first, the digest covers all.
    `classes` is the number of classes of the data set, where known. Labels of None: every label is
    -1. `said`, `read_as` and `split` tell what was inferred before: see base.py. Raises InputError
    where shapes, dtypes or labels do not fit the model or each other.
    """

    def __init__(
        self,
        kind: str,
        name: str,
        files: Sequence[Path],
        images: npt.NDArray[Any],
        labels: npt.NDArray[Any] | None,
        spec: InputSpec | None,
        num_classes: int | None,
        classes: int | None = None,
        *,
        said: tuple[str, ...] = (),
        read_as: Mapping[str, Any] = MappingProxyType({}),
        split: str = "",
    ) -> None:
        file = printable(files[0])
        if images.dtype != np.uint8 or images.ndim not in (3, 4):
            raise InputError(
                f"{file}: images are {images.dtype} {list(images.shape)}: expected uint8 "
                "[N, H, W, C] or [N, H, W], pixels in 0..255; save them so"
            )
        if labels is None:
            labels = no_labels(len(images), file)
            read_as = {**read_as, "unlabelled": True}
        else:
            check_labels(labels, num_classes, file)
        if len(images) != len(labels):
            raise InputError(
                f"{file}: {len(images)} images but {len(labels)} labels: expected one label per "
                "image; check that the two belong together"
            )
        self._images = images if images.ndim == 4 else images[..., np.newaxis]
        if spec is None:
            spec = _own_spec(self._images.shape[1:], file)
        check_shape(self._images.shape[1:], file, spec)
        self._labels = labels
        self._kind = kind
        self._name = name
        self._files = files
        self._spec = spec
        self._classes = classes
        self.said = said
        self.split = split
        self._read_as = dict(read_as)

    def __len__(self) -> int:
        """The number of images."""
        return len(self._images)

    def label(self, index: int) -> int:
        """The class index of an image."""
        return int(self._labels[index])

    def image(self, index: int) -> npt.NDArray[np.uint8]:
        """The image as a new uint8 [C, H, W]."""
        name = f"{printable(self._files[0])}: image {index}"
        return delivered(self._images[index], name, self._spec)

    def describe(self) -> dict[str, Any]:
        """Kind, name, number of images and classes (None: unknown), digest of the files; and how
        they were read, where that does not go without saying."""
        return {
            "kind": self._kind,
            "name": self._name,
            "images": len(self),
            "classes": self._classes,
            "digest": self._digest,
            **({READ_AS: self._read_as} if self._read_as else {}),
        }

    @cached_property
    def _digest(self) -> str:
        return digest.of_files(self._files)


def delivered(pixels: npt.NDArray[np.uint8], name: str, spec: InputSpec) -> npt.NDArray[np.uint8]:
    """An image [H, W, C] of a shape that passes check_shape as a new [C, H, W] of `spec`'s."""
    check_fits(pixels.nbytes, name)
    if pixels.shape[:2] == (spec.height, spec.width):
        return np.array(pixels.transpose(2, 0, 1), order="C")
    grey = pixels.shape[2] == 1
    image = Image.fromarray(np.ascontiguousarray(pixels[..., 0] if grey else pixels))
    return photograph.to_array(photograph.resize_and_crop(image, name, spec))


def _own_spec(shape: tuple[int, ...], file: str) -> InputSpec:
    """The spec that delivers images of (H, W, C) `shape` as they are; raises InputError where
    the channels come first."""
    height, width, channels = shape
    if channels > height:
        raise InputError(
            f"{file}: images are {height}x{width}x{channels} by their last dimensions (HxWxC): "
            "expected channels last; transpose the images to [N, H, W, C]"
        )
    return InputSpec(channels, height, width)


def check_shape(shape: tuple[int, ...], file: str, spec: InputSpec) -> None:
    """Raise InputError unless images of (H, W, C) `shape` can become the model's input."""
    height, width, channels = shape
    is_input = (height, width) == (spec.height, spec.width)
    expected = f"the model's input is {spec.height}x{spec.width}x{spec.channels}"
    found = f"{file}: images are {height}x{width}x{channels} (HxWxC), {expected}"
    if shape == spec.shape:
        raise InputError(f"{found}: expected channels last; transpose the images to [N, H, W, C]")
    if channels != spec.channels:
        raise InputError(
            f"{found}: expected {spec.channels} channels, arrays are not converted between grey "
            "and colour; save the images with the model's channels"
        )
    if not is_input and spec.resize is None:
        raise InputError(
            f"{found}: expected that size; to resize and crop, give --resize "
            f"{max(spec.height, spec.width)} or more, the shorter side before the crop"
        )
    if not is_input:
        photograph.check_channels(spec)
