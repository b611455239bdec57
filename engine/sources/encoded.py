"""What sources of encoded photographs share: decoding, and what the manifest records."""

from abc import ABC, abstractmethod
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from PIL import Image

from smoothcert.engine.base.doing import doing
from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.engine.sources import photograph
from smoothcert.engine.sources.options import READ_AS


class EncodedSource(ABC):
    """A PhotographSource (base.py), given the bytes of each photograph.

    spec  the model's input; None for what photographs become where no model says otherwise
    Raises InputError where the model's input is no photograph's.
    """

    kind: ClassVar[str]
    num_classes: int | None = None
    """Of the data set, where it is known."""
    said: tuple[str, ...] = ()
    """See base.said_of."""
    split: str = ""
    """See base.split_of."""

    def __init__(self, name: str, spec: InputSpec | None) -> None:
        self._name = name
        self.read_as: dict[str, Any] = {}
        """How the source was read, where that was asked for or inferred."""
        self._spec = spec or photograph.DEFAULT_SPEC
        photograph.check_channels(self._spec)

    @abstractmethod
    def __len__(self) -> int:
        """The number of photographs."""

    @abstractmethod
    def encoded(self, index: int) -> tuple[bytes, str]:
        """A photograph's bytes, and where they lie; raises InputError where they cannot be read."""

    @abstractmethod
    def digest(self) -> str:
        """What tells this source from another when a run is resumed: see digest.py."""

    def image(self, index: int) -> npt.NDArray[np.uint8]:
        """The photograph as uint8 [C, H, W]; raises InputError as photograph.decode does."""
        return self.decode(*self.encoded(index))

    def decode(self, data: bytes, name: str) -> npt.NDArray[np.uint8]:
        """What `encoded` gave as `image` gives it; in any thread."""
        return photograph.decode(data, name, self._spec)

    def whole(self, index: int) -> Image.Image:
        """The photograph in its own size; raises InputError as photograph.decode_whole does."""
        return photograph.decode_whole(*self.encoded(index), self._spec.channels)

    def describe(self) -> dict[str, Any]:
        """Kind, name, number of images and classes (None: unknown), digest; and how it was read,
        where that does not go without saying."""
        return {
            "kind": self.kind,
            "name": self._name,
            "images": len(self),
            "classes": self.num_classes,
            "digest": self._digest,
            **({READ_AS: self.read_as} if self.read_as else {}),
        }

    @cached_property
    def _digest(self) -> str:
        with doing(f"looking at {len(self):,} files of {self._name}"):
            return self.digest()
