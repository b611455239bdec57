"""Which of several arrays are the images, and which are their labels: by name."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.wording import printable
from smoothcert.engine.sources.given_files import some_of
from smoothcert.engine.sources.options import SourceOptions

DEFAULT = ("images", "labels")

_IMAGES = frozenset({"images", "image", "imgs", "img", "x", "data", "pixels"})
_LABELS = frozenset({"labels", "label", "y", "targets", "target"})
_SPLITS = {
    "test": "test", "testing": "test", "t10k": "test",
    "val": "val", "valid": "val", "validation": "val", "dev": "val",
    "train": "train", "training": "train",
}  # fmt: skip
_GLUED = re.compile(r"([xy])_?(train|test|val|valid)")


@dataclass(frozen=True)
class Chosen:
    """The arrays of a source.

    labels  None where there are none
    asked   whether the user named them
    split   "test" where others of the data set were left aside, or "" where nothing says
    """

    images: str
    labels: str | None
    asked: bool = False
    split: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """As --arrays has them."""
        return (self.images,) if self.labels is None else (self.images, self.labels)

    @property
    def is_default(self) -> bool:
        """Whether no name needs to be told."""
        return self.names == DEFAULT[: len(self.names)]

    def said(self) -> tuple[str, ...]:
        """What was inferred, in one sentence or none."""
        if self.is_default or self.asked:
            return ()
        aside = ", not its training images" if self.split == "test" else ""
        what = f"images from {self.images}"
        what += f", labels from {self.labels}" if self.labels else ""
        return (printable(what + aside),)


@dataclass(frozen=True)
class _Role:
    """What a name says: of what set (prefix), of what split, images or labels."""

    prefix: tuple[str, ...]
    split: str
    is_images: bool


def choose(
    shapes: Mapping[str, tuple[int, ...]], options: SourceOptions, where: str, form: str
) -> Chosen:
    """The images' and the labels' array, of all that there are, by names and shapes.

    Those that --arrays names; else images and labels; else the pair of a test split (x_test and
    y_test, test_images and test_labels), else the only pair that is of no split; never a training
    split. Where the labels are known by name and the images are not, the only array of as many
    images. Raises InputError, saying what there is and what is expected (`form`), where none fits
    or several do.
    """
    has = f"it has {some_of(list(shapes)) or 'none'}"
    if options.arrays is not None:
        names = [_of_user(name, shapes, where, has) for name in options.arrays]
        split = (_role(names[0]) or _Role((), "", True)).split
        return Chosen(names[0], None if options.unlabelled else names[-1], True, split)
    if options.unlabelled:
        return Chosen(_only_images(shapes, where, has), None)
    if set(DEFAULT) <= shapes.keys():
        return Chosen(*DEFAULT)
    pairs = dict(_pairs(shapes))
    for split in ("test", ""):
        fitting = [pair for role, pair in pairs.items() if role[1] == split]
        if len(fitting) > 1:
            raise InputError(
                f"{where}: holds {some_of([','.join(pair) for pair in fitting])}: expected one "
                f"pair of images and labels; name it, such as --arrays {','.join(fitting[0])}"
            )
        if fitting:
            others = any(role[1] for role in pairs if role[1] != split)
            return Chosen(*fitting[0], split=split if split == "test" and others else "")
    if pairs:
        first = next(iter(pairs.values()))
        raise InputError(
            f"{where}: has no test split ({has}): training images are not taken unasked; name the "
            f"arrays, such as --arrays {','.join(first)}"
        )
    if found := _by_shape(shapes):
        return Chosen(*found)
    raise InputError(_without(shapes, where, has, form))


def _of_user(name: str, shapes: Mapping[str, tuple[int, ...]], where: str, has: str) -> str:
    for asked in (name, name.removesuffix(".npy")):
        if asked in shapes:
            return asked
        # A name that is not Unicode, as messages and manifests have it.
        if len(alike := [array for array in shapes if printable(array) == asked]) == 1:
            return alike[0]
    raise InputError(f"{where}: has no array {printable(name)} ({has}): see --arrays")


def _role(name: str) -> _Role | None:
    """What a name says; None where it does not say whether it is of images or of labels."""
    lower = name.lower()
    glued = _GLUED.fullmatch(lower)
    words = list(glued.groups()) if glued else [w for w in re.split(r"[^a-z0-9]+", lower) if w]
    kinds = [word for word in words if word in _IMAGES | _LABELS]
    if not kinds:
        return None
    kind = kinds[-1]
    words.remove(kind)
    splits = [word for word in words if word in _SPLITS]
    if splits:
        words.remove(splits[0])
    return _Role(tuple(words), _SPLITS[splits[0]] if splits else "", kind in _IMAGES)


def _pairs(
    shapes: Mapping[str, tuple[int, ...]],
) -> Iterator[tuple[tuple[tuple[str, ...], str], tuple[str, str]]]:
    """Prefix and split with the only images and the only labels of these."""
    groups: dict[tuple[tuple[str, ...], str], tuple[list[str], list[str]]] = {}
    for name in shapes:
        if role := _role(name):
            images, labels = groups.setdefault((role.prefix, role.split), ([], []))
            (images if role.is_images else labels).append(name)
    for key, (images, labels) in groups.items():
        if len(images) == len(labels) == 1:
            yield key, (images[0], labels[0])


def _by_shape(shapes: Mapping[str, tuple[int, ...]]) -> tuple[str, str] | None:
    """The only images there can be, and the only labels by name; or savez' arr_0 and arr_1."""
    labels = [name for name in shapes if (role := _role(name)) and not role.is_images]
    images = [name for name, shape in shapes.items() if len(shape) > 2]
    if not labels and set(shapes) == {"arr_0", "arr_1"}:
        labels = [name for name in shapes if name not in images]
    if len(images) == len(labels) == 1 and images != labels:
        splits = {_split(name) for name in (images[0], labels[0])}
        return (images[0], labels[0]) if len(splits) == 1 and "train" not in splits else None
    return None


def _split(name: str) -> str:
    """The split that a name speaks of, whatever else it says."""
    role = _role(name) or _role(f"{name} x")
    return role.split if role else ""


def _only_images(shapes: Mapping[str, tuple[int, ...]], where: str, has: str) -> str:
    """The images of a source without labels."""
    if DEFAULT[0] in shapes:
        return DEFAULT[0]
    named: dict[str, list[str]] = {}
    for name in shapes:
        role = _role(name)
        if role is not None and role.is_images:
            named.setdefault(role.split, []).append(name)
    solid = [name for name, shape in shapes.items() if len(shape) > 2]
    for found in (named.get("test"), named.get(""), [] if named else solid):
        if found and len(found) == 1:
            return found[0]
    raise InputError(f"{where}: {has}: expected one array of images; name it by --arrays IMAGES")


def _without(shapes: Mapping[str, tuple[int, ...]], where: str, has: str, form: str) -> str:
    missing = next((name for name in DEFAULT if name not in shapes), DEFAULT[0])
    roles = [role for name in shapes if (role := _role(name))]
    images = [name for name, shape in shapes.items() if len(shape) > 2]
    labels = [name for name in shapes if (role := _role(name)) and not role.is_images]
    if labels and len(images) > 1:
        return (
            f"{where}: holds {len(images)} arrays of images ({some_of(images)}): expected one; "
            f"name it, such as --arrays {images[0]},{labels[0]}"
        )
    if not any(not role.is_images for role in roles) and any(role.is_images for role in roles):
        return (
            f"{where}: has no array {DEFAULT[1]} ({has}): {form}; name other arrays by --arrays "
            "IMAGES,LABELS; where images have no labels, give --unlabelled"
        )
    return f"{where}: has no array {missing} ({has}): {form}; name others by --arrays IMAGES,LABELS"
