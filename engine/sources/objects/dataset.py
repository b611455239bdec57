"""A data set of a Python program as a source: torch's, Hugging Face's, or a list of pairs."""

import hashlib
import pickle
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from smoothcert.engine.base.errors import InputError, one_line
from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.engine.base.wording import printable
from smoothcert.engine.sources import photograph
from smoothcert.engine.sources.arrays.array_source import check_shape, delivered
from smoothcert.engine.sources.labelling.labels import UNLABELLED
from smoothcert.engine.sources.objects.items import Items
from smoothcert.engine.sources.objects.labels import (
    Meaning,
    class_names,
    listed_labels,
    meaning_of,
    scalar_of,
)
from smoothcert.engine.sources.objects.pictures import decoding, pixels_of, raw_bytes
from smoothcert.engine.sources.options import READ_AS, SourceOptions

KIND = "dataset"
_TWICE = 8
"""Images that are read twice: a transform that flips one in two escapes once in 256."""
_UNREAD = -2


class DatasetSource:
    """The items of a data set, in its order; see Items for what they may be.

    An image is delivered as it is where (H, W) is the model's; where it is not and the model
    resizes, it is resized and cropped as a photograph is. Images of PIL become grey or colour as
    the model wants them, arrays are never converted. Labels are had without images where the data
    set lists them (`targets`, a column), and are compared with those of the items as these are
    read; otherwise an item is read for its label, which is then kept (8 bytes an image).

    Raises InputError where the images are no 8-bit images, where they change from reading to
    reading, and where labels are not the model's.
    """

    def __init__(
        self,
        data: Any,
        items: Items,
        spec: InputSpec,
        num_classes: int | None,
        options: SourceOptions,
        read_as: dict[str, Any],
    ) -> None:
        self._items = items
        self._spec = spec
        self._name = items.name
        self.read_as = dict(read_as)
        self.said: tuple[str, ...] = ()
        self._meaning = Meaning(num_classes)
        self._labels = np.full(len(items), _UNREAD, dtype=np.int64)
        self._few, self._digest = self._examined(sample(len(items)))
        if options.unlabelled:
            self._labels[:] = UNLABELLED
            self.read_as["unlabelled"] = True
        else:
            self._find_labels(data, num_classes, options)
        self.label(0)
        self.image(0)

    def __len__(self) -> int:
        """The number of images."""
        return len(self._items)

    def label(self, index: int) -> int:
        """The class index of an image."""
        if self._labels[index] == _UNREAD:
            _, label = self._items.read(index)
            self._labels[index] = self._meaning.of(label, self._items.where(index))
        return int(self._labels[index])

    def image(self, index: int) -> npt.NDArray[np.uint8]:
        """The image as a new uint8 [C, H, W]; raises InputError where it is none that fits."""
        value, where = self._picture(index), self._items.where(index)
        if isinstance(value, Image.Image):
            whole = _in_mode(value, where, self._spec.channels)
            return photograph.to_array(photograph.resize_and_crop(whole, where, self._spec))
        pixels = pixels_of(value, where, self._spec)
        check_shape(pixels.shape, where, self._spec)
        return delivered(pixels, where, self._spec)

    def check_travels(self) -> None:
        """Raise InputError where the data set cannot be sent to another process of this machine."""
        try:
            pickle.Pickler(_Nowhere(), pickle.HIGHEST_PROTOCOL).dump(self)
        except Exception as error:  # whatever its parts raise
            raise InputError(
                f"{self._name}: cannot be sent to another process ({printable(one_line(error))}), "
                "and several devices have one each: expected what pickles (a class of a module, no "
                "lambda, no open file); or take one device"
            ) from None

    def describe(self) -> dict[str, Any]:
        """Kind, name, number of images and classes (None: unknown), digest; and how it was read,
        where that does not go without saying. The digest is of the number of images and of a few of
        them: every row of a log pins its own."""
        return {
            "kind": KIND,
            "name": self._name,
            "images": len(self),
            "classes": self._meaning.classes,
            "digest": self._digest,
            **({READ_AS: self.read_as} if self.read_as else {}),
        }

    def _picture(self, index: int) -> Any:
        """An image as the data set gives it, whose label is that of the list."""
        value, label = self._items.read(index)
        if label is not None:
            where = self._items.where(index)
            found = self._meaning.of(label, where)
            if self._labels[index] not in (_UNREAD, found):
                raise InputError(
                    f"{where} has label {found}, and {self._labels[index]} in the data set's list "
                    "of labels: expected the two to agree; correct the list, or remove it"
                )
        return value

    def _find_labels(self, data: Any, num_classes: int | None, options: SourceOptions) -> None:
        key = self._items.label_key
        listed, names = listed_labels(data, key), class_names(data, key)
        if listed is not None and not self._agrees(listed):
            listed = names = None  # its items have labels of their own making
        self._meaning = meaning_of(listed, names, num_classes, options, self._name)
        self.said += self._meaning.said
        self.read_as.update(self._meaning.read_as)
        if listed is not None:
            self._labels = self._meaning.all_of(listed, self._name)

    def _agrees(self, listed: list[Any]) -> bool:
        """Whether a list has the labels that the first items have."""
        return all(
            scalar_of(self._items.read(i)[1], self._items.where(i))
            == scalar_of(listed[i], self._items.where(i))
            for i in self._few
        )

    def _examined(self, few: Iterable[int]) -> tuple[list[int], str]:
        """Of a few images, those that can be read, and a digest: the hex SHA-256 of the number of
        images and of these as the data set gives them.

        They are read twice. Raises InputError where the two differ, or the first cannot be read.
        """
        sha256 = hashlib.sha256(f"{len(self._items)}".encode())
        readable: list[int] = []
        for index in few:
            try:
                once, again = self._raw(index), self._raw(index)
            except InputError:
                if not readable:
                    raise
                continue
            if once != again:
                raise InputError(
                    f"{self._items.where(index)} is another one each time it is read: its "
                    "transform is random (augmentation), and a certificate is about one image; "
                    "give the data set with the transform that tests use"
                )
            readable.append(index)
            sha256.update(f" {index} ".encode() + hashlib.sha256(once).digest())
        return readable, sha256.hexdigest()

    def _raw(self, index: int) -> bytes:
        return raw_bytes(self._items.read(index, anew=True)[0], self._items.where(index))


class _Nowhere:
    """A file whose content is not kept."""

    def write(self, content: object) -> int:
        return 0


class PictureSource(DatasetSource):
    """A DatasetSource whose images are PIL's: a PhotographSource."""

    def whole(self, index: int) -> Image.Image:
        """The image in its own size; raises InputError where it is none of PIL's."""
        value, where = self._picture(index), self._items.where(index)
        if not isinstance(value, Image.Image):
            raise InputError(f"{where} is no image of PIL, as others are: expected all alike")
        return _in_mode(value, where, self._spec.channels)


def _in_mode(image: Image.Image, where: str, channels: int) -> Image.Image:
    with decoding(where):
        return photograph.in_mode(image, where, channels)


def sample(length: int) -> list[int]:
    """A few images: the first ones, and the last."""
    return sorted({*range(min(length, _TWICE - 1)), length - 1})
