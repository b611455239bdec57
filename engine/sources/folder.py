"""A tree of class folders: `val/<class>/*.JPEG`, as torchvision's ImageFolder reads it."""

import os
from collections.abc import Sequence
from pathlib import Path

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.engine.base.wording import printable
from smoothcert.engine.sources import digest, photograph
from smoothcert.engine.sources.encoded import EncodedSource
from smoothcert.engine.sources.given_files import some_of
from smoothcert.engine.sources.labelling.classes import FOLDERS, NamedClasses, classes_of
from smoothcert.engine.sources.tree import LeftOut, photographs_below

_SPLITS = frozenset({"train", "training", "val", "valid", "validation", "dev", "test", "testing"})


class FolderSource(EncodedSource):
    """Photographs in class folders, class by class, sorted by path within a class.

    A class index is the folder's place among all folders in sorted order, so a class without
    images keeps its (empty) folder; or what a list says of its name: see classes_of, to which
    `classes` goes. Photographs are told by their extension, in either case, at any depth below the
    class folder. Hidden folders and files are left out: see tree.py. Opening lists the tree and
    decodes nothing.

    Raises InputError where there is no photograph, or where the folders are not `num_classes`
    (None: any number) and no list has their names.
    """

    kind = "folder"

    def __init__(
        self,
        root: Path,
        name: str,
        spec: InputSpec | None,
        num_classes: int | None,
        classes: Path | None = None,
    ) -> None:
        super().__init__(name, spec)
        left_out = LeftOut()
        self._root = root
        self._classes = class_folders(root, left_out)
        _check_no_splits(root, self._classes)
        of_class = {name: photographs_below(root / name, left_out) for name in self._classes}
        try:
            named = classes_of(self._classes, num_classes, classes, printable(root), FOLDERS)
        except InputError as error:
            empty = [name for name, files in of_class.items() if not files]
            if num_classes is None or not 0 < len(empty) == len(self._classes) - num_classes:
                raise
            raise InputError(f"{error} (without photographs: {some_of(empty)})") from None
        self.num_classes = named.classes
        self.read_as.update(named.read_as)
        self.said = (*named.said, *left_out.sentences(), *_of_numbers(named))
        self._index = named.index
        self._files = [file for files in of_class.values() for file in files]
        self._labels = [named.index[name] for name, files in of_class.items() for _ in files]
        if not self._files:
            raise InputError(
                f"{printable(root)}: holds no photographs in its {len(self._classes)} folders: "
                f"expected <class>/*{photograph.EXTENSIONS[0]} or another of "
                f"{' '.join(photograph.EXTENSIONS[1:])}"
            )

    def __len__(self) -> int:
        """The number of photographs."""
        return len(self._files)

    def label(self, index: int) -> int:
        """The class of the photograph's folder."""
        return self._labels[index]

    def encoded(self, index: int) -> tuple[bytes, str]:
        """See EncodedSource.encoded."""
        file = self._files[index]
        return photograph.read_bytes(Path(file)), printable(file)

    def digest(self) -> str:
        """Of the relative paths and sizes; the names of all classes enter too, because an empty
        folder decides the index of those after it. Where a list decides, with their indices."""
        listed = bool(self.read_as)
        return digest.of_listing(
            [(name, str(self._index[name])) if listed else (name,) for name in self._classes]
            + [
                (Path(file).relative_to(self._root).as_posix(), str(digest.size(Path(file))))
                for file in self._files
            ]
        )


def class_folders(root: Path, left_out: LeftOut) -> list[str]:
    """The names of the folders in `root` that may be classes, sorted."""
    with os.scandir(root) as entries:
        names = sorted(entry.name for entry in entries if entry.is_dir())
    return [name for name in names if not left_out.folder(name)]


def _check_no_splits(root: Path, names: Sequence[str]) -> None:
    """Raise InputError for the folder of a whole data set, whose splits are no classes."""
    if names and _SPLITS.issuperset(map(str.lower, names)):
        raise InputError(
            f"{printable(root)}: holds the splits {', '.join(names)}, not classes: expected one of "
            f"them; give {printable(root / names[-1])}, for instance"
        )


def _of_numbers(named: NamedClasses) -> tuple[str, ...]:
    """A warning where folders are named by numbers and sorted as text: 10 comes before 2."""
    if named.read_as or not all(name.isascii() and name.isdigit() for name in named.index):
        return ()
    for name, index in named.index.items():
        if int(name) != index:
            return (
                f"folder {name} is class {index}, by its place in sorted order as ImageFolder has "
                "it; where folders are named by their class index, say so by --classes FILE",
            )
    return ()
