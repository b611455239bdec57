"""The items of a data set, by number: which part is the image, and which its label."""

from collections.abc import Mapping
from typing import Any

from smoothcert.engine.base.errors import InputError, one_line
from smoothcert.engine.base.wording import printable
from smoothcert.engine.sources.given_files import some_of
from smoothcert.engine.sources.objects.kinds import EXPECTED
from smoothcert.engine.sources.objects.pictures import is_picture, kind_of
from smoothcert.engine.sources.options import SourceOptions

IMAGES = ("image", "pixel_values", "img")
LABELS = ("label", "labels")
"""What items that are dicts call the two, unless `columns` says otherwise."""

Key = str | int | None
_ALONE: Key = None


class Items:
    """A data set's items as images and labels; the last one that was read is kept.

    data     has __len__ and __getitem__
    keys     names of image and label in items that are dicts, where they are known; where they are
             not they are told from the first item
    Raises InputError, with what to do, where the first item is no image with its label (unless the
    options say `unlabelled`).
    """

    def __init__(
        self, data: Any, name: str, options: SourceOptions, keys: tuple[str, ...] | None = None
    ) -> None:
        self._data = data
        self.name = name
        self.unlabelled = options.unlabelled
        self._last: tuple[int, Any, Any] | None = None
        self._length = self._len()
        self._image, self._label = self._told(self._item(0), keys or options.columns)
        found = self.read(0)[0]
        if not is_picture(found):
            raise InputError(
                f"{self.where(0)} is a {kind_of(found)}: expected an image, of PIL or an array "
                "[C, H, W], [H, W, C] or [H, W]"
            )

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_last": None}

    def __len__(self) -> int:
        """How many there are, as the data set said when it was opened."""
        return self._length

    @property
    def label_key(self) -> Key:
        """By what an item has its label."""
        return self._label

    def where(self, index: int) -> str:
        """How to name an image to its user."""
        return f"{self.name}: image {index}"

    def read(self, index: int, *, anew: bool = False) -> tuple[Any, Any]:
        """An image and its label (None of an unlabelled one) as the data set gives them; `anew`
        asks it even for the one that was read last. Raises InputError where it does not."""
        last = self._last
        if anew or last is None or last[0] != index:
            last = self._last = (index, *self._split(index, self._item(index)))
        return last[1], last[2]

    def _len(self) -> int:
        try:
            length = len(self._data)
        except Exception as error:  # whatever their __len__ raises
            raise InputError(
                f"a {self.name} does not tell its length ({printable(one_line(error))}): expected "
                f"{EXPECTED}"
            ) from None
        if not length:
            raise InputError(f"{self.name}: holds no images: expected at least one")
        return length

    def _item(self, index: int) -> Any:
        try:
            return self._data[index]
        except Exception as error:  # whatever their __getitem__ raises
            reason = printable(one_line(error))
            raise InputError(
                f"{self.where(index)} cannot be read ({type(error).__name__}: {reason}): expected "
                "data[index] to give it; repair it, or leave it out"
            ) from None

    def _told(self, item: Any, names: tuple[str, ...] | None) -> tuple[Key, Key]:
        """Where an item has its image and its label."""
        if isinstance(item, Mapping):
            return self._named(item, names)
        if names is not None:
            raise InputError(
                f"columns {','.join(names)} are of items that are dicts, and those of {self.name} "
                "are not: leave them out"
            )
        parts = item if isinstance(item, tuple | list) else None
        label: Key = 1
        if self.unlabelled:
            label = None
        elif parts is None or len(parts) < 2:
            raise InputError(
                f"{self.where(0)} has no label (a {kind_of(item)}): expected (image, label); where "
                "there are none, give unlabelled=True"
            )
        return (_ALONE if parts is None else 0), label

    def _named(self, item: Mapping[Any, Any], names: tuple[str, ...] | None) -> tuple[Key, Key]:
        keys = [str(key) for key in item]
        if names is not None:
            missing = [name for name in names if name not in item]
            if missing:
                raise InputError(
                    f"{self.name}: items have {some_of(keys)}, and no {printable(missing[0])}: "
                    "expected columns=(IMAGE, LABEL) among them"
                )
            return names[0], (None if self.unlabelled else names[1])
        chosen: list[Key] = []
        for what, known in (("images", IMAGES), ("labels", LABELS)):
            if what == "labels" and self.unlabelled:
                chosen.append(None)
                continue
            found = [key for key in known if key in item]
            if len(found) != 1:
                which = f", of which {some_of(found)} may be the {what}" if found else ""
                raise InputError(
                    f"{self.name}: items have {some_of(keys)}{which}: expected an image and its "
                    "label; name them by columns=(IMAGE, LABEL), or the image alone with "
                    "unlabelled=True"
                )
            chosen.append(found[0])
        return chosen[0], chosen[1]

    def _split(self, index: int, item: Any) -> tuple[Any, Any]:
        try:
            image = item if self._image is _ALONE else item[self._image]
            return image, (None if self._label is None else item[self._label])
        except (KeyError, IndexError, TypeError):
            raise InputError(
                f"{self.where(index)} comes in another form than image 0 (a {kind_of(item)}): "
                "expected all items alike"
            ) from None
