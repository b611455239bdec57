"""Images that are decoded once, for several runs over one source."""

import numpy as np
import numpy.typing as npt

from smoothcert.engine.base.memory import available_memory
from smoothcert.engine.run.execution import LocalExecutor
from smoothcert.engine.run.processes import executor_for
from smoothcert.engine.sources.base import ImageSource, PhotographSource, said_of, split_of

_PART = 4
"""The part of the memory that is left which pixels may take: a quarter."""
_UNTOLD = 1 << 30
"""Bytes for them where nothing tells what is left."""


class KeptImages:
    """An ImageSource that keeps the pixels it has decoded, as long as they take no more than `most`
    bytes; the other images are decoded whenever they are asked for, and so are those that could not
    be read."""

    def __init__(self, source: ImageSource, most: int) -> None:
        self._source = source
        self._left = most
        self._pixels: dict[int, npt.NDArray[np.uint8]] = {}
        self.said = said_of(source)
        self.split = split_of(source)

    def __len__(self) -> int:
        return len(self._source)

    def label(self, index: int) -> int:
        """See ImageSource.label."""
        return self._source.label(index)

    def image(self, index: int) -> npt.NDArray[np.uint8]:
        """See ImageSource.image; what it returns is the caller's to change."""
        kept = self._pixels.get(index)
        if kept is not None:
            return kept.copy()
        pixels = self._source.image(index)
        if pixels.nbytes <= self._left:
            self._left -= pixels.nbytes
            self._pixels[index] = pixels.copy()
        return pixels

    def describe(self) -> dict[str, object]:
        """See ImageSource.describe."""
        return self._source.describe()


def kept_images(source: ImageSource, device: str) -> ImageSource:
    """The source for several runs on `device`, one after the other: of photographs, one that
    decodes each once, as far as a quarter of the memory that is left holds them (6,900 images of
    3x224x224 a gigabyte).

    Arrays are there already; and where each of several devices has a process of its own, that
    process decodes what it certifies.
    """
    if not isinstance(source, PhotographSource):
        return source
    if not isinstance(executor_for(device), LocalExecutor):
        return source
    left = available_memory()
    return KeptImages(source, _UNTOLD if left is None else left // _PART)
