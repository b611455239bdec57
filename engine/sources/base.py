"""What image sources are, and what they give: labelled images, or the reason why not."""

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
from PIL import Image

from smoothcert.engine.base.errors import InputError, one_line
from smoothcert.engine.base.wording import printable

UNREADABLE = (InputError, OSError, MemoryError)
"""What a source raises for an image that it cannot read."""


@dataclass(frozen=True)
class LabelledImage:
    """An image to certify: its index in the source, which is its identity for the noise."""

    index: int
    label: int
    pixels: npt.NDArray[np.uint8]


@dataclass(frozen=True)
class FailedImage:
    """An image that could not be certified, and why, in one line."""

    index: int
    reason: str


def reason_of(error: BaseException) -> str:
    """Why an image cannot be read, of what a source raised for it, in one printable line."""
    if isinstance(error, MemoryError):
        return "does not fit in memory: expected a smaller image; resize or remove it"
    return printable(one_line(error, None))


class ImageSource(Protocol):
    """A fixed sequence of labelled images, addressed by index.

    The index is the image's identity for the noise (statistics.md section 5), so it must not
    depend on anything but the source's content: never on a shuffle or a shard.
    Methods may be called from one background thread.
    """

    def __len__(self) -> int:
        """The number of images."""
        ...

    def label(self, index: int) -> int:
        """The class index of an image, without decoding it."""
        ...

    def image(self, index: int) -> npt.NDArray[np.uint8]:
        """The image as uint8 [C, H, W] in the model's input shape.

        Raises InputError naming the file where it cannot be decoded or has the wrong shape.
        """
        ...

    def describe(self) -> dict[str, Any]:
        """What the manifest records: kind, name, number of images, number of classes if known; and
        as `read_as` what was asked for or inferred to read it."""
        ...


def said_of(source: ImageSource) -> tuple[str, ...]:
    """What was inferred when a source was opened, a sentence each; describe() has it too."""
    said: tuple[str, ...] = getattr(source, "said", ())
    return said


def split_of(source: ImageSource) -> str:
    """The split of a data set that a source took unasked, such as "test"; "" where it took all
    that it was given."""
    split: str = getattr(source, "split", "")
    return split


@runtime_checkable
class PhotographSource(ImageSource, Protocol):
    """An ImageSource of encoded photographs, which can also be had before any resize and crop."""

    def whole(self, index: int) -> Image.Image:
        """The photograph in its own size, "RGB" or "L" by the channels of the source's spec.

        Raises InputError naming the file where it cannot be decoded.
        """
        ...
