"""A tree of class folders: `val/<class>/*.JPEG`, as torchvision's ImageFolder reads it."""

import os
from pathlib import Path
from typing import NoReturn

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.engine.sources import digest, photograph
from smoothcert.engine.sources.encoded import EncodedSource


class FolderSource(EncodedSource):
    """Photographs in class folders, class by class, sorted by path within a class.

    A class index is the folder's place among all folders in sorted order, so a class without
    images keeps its (empty) folder. Photographs are told by their extension, in either case, at any
    depth below the class folder. Opening lists the tree and decodes nothing.

    Raises InputError where there is no photograph, or where the number of folders is not
    `num_classes` (None: any number).
    """

    kind = "folder"

    def __init__(
        self, root: Path, name: str, spec: InputSpec | None, num_classes: int | None
    ) -> None:
        super().__init__(name, spec)
        self._root = root
        with os.scandir(root) as entries:
            self._classes = sorted(entry.name for entry in entries if entry.is_dir())
        if num_classes is not None and len(self._classes) != num_classes:
            raise InputError(
                f"{root}: holds {len(self._classes)} class folders, the model has {num_classes} "
                "classes: a class index is the folder's place in sorted order, so expected all "
                f"{num_classes} folders; add the missing ones (they may be empty), remove others"
            )
        self.num_classes = len(self._classes)
        self._files: list[str] = []
        self._labels: list[int] = []
        for label, class_name in enumerate(self._classes):
            files = _photographs(root / class_name)
            self._files.extend(files)
            self._labels.extend([label] * len(files))
        if not self._files:
            raise InputError(
                f"{root}: holds no photographs in its {len(self._classes)} folders: expected "
                f"<class>/*{photograph.EXTENSIONS[0]} or another of "
                f"{' '.join(photograph.EXTENSIONS[1:])}"
            )

    def __len__(self) -> int:
        """The number of photographs."""
        return len(self._files)

    def label(self, index: int) -> int:
        """The place of the photograph's class folder in sorted order."""
        return self._labels[index]

    def encoded(self, index: int) -> tuple[bytes, str]:
        """See EncodedSource.encoded."""
        file = self._files[index]
        return photograph.read_bytes(Path(file)), file

    def digest(self) -> str:
        """Of the relative paths and sizes; the names of all classes enter too, because an empty
        folder decides the index of those after it."""
        return digest.of_listing(
            [(class_name,) for class_name in self._classes]
            + [
                (Path(file).relative_to(self._root).as_posix(), str(digest.size(Path(file))))
                for file in self._files
            ]
        )


def _photographs(folder: Path) -> list[str]:
    """Paths of the photographs below `folder`, in ImageFolder's order."""
    return [
        os.path.join(parent, file)  # noqa: PTH118 - a Path each takes longer than the listing
        for parent, _, files in sorted(os.walk(folder, onerror=_unreadable, followlinks=True))
        for file in sorted(files)
        if file.lower().endswith(photograph.EXTENSIONS)
    ]


def _unreadable(error: OSError) -> NoReturn:
    """Refuse a folder that os.walk would skip: skipping would renumber the images."""
    raise InputError(
        f"{error.filename}: cannot be listed ({error.strerror}): expected a readable folder; "
        "check its permissions"
    )
