"""Photographs that lie in one folder: their labels in a list beside it, or none at all."""

import os
import unicodedata
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.engine.base.wording import printable
from smoothcert.engine.sources import digest, photograph
from smoothcert.engine.sources.encoded import EncodedSource
from smoothcert.engine.sources.given_files import some_of
from smoothcert.engine.sources.labelling.classes import NamedClasses, classes_of
from smoothcert.engine.sources.labelling.label_list import Entry, LabelList
from smoothcert.engine.sources.labelling.labels import UNLABELLED, check_label, is_index
from smoothcert.engine.sources.options import SourceOptions
from smoothcert.engine.sources.tree import LeftOut, photographs_below


class FlatSource(EncodedSource):
    """The photographs below a folder that a list names, in the list's order; or, without labels,
    all of them at any depth, sorted by path as in a class folder.

    A list gives paths relative to the folder, which may lack their extension, begin with the
    folder's own name, or be the bare name of the only file of that name at any depth. Its classes
    are indices; or names, see classes_of. What it does not name is left out. Raises InputError
    where a line is no photograph's, or repeats one, or its class is not the model's.
    """

    kind = "flat"

    def __init__(
        self,
        root: Path,
        name: str,
        spec: InputSpec | None,
        num_classes: int | None,
        options: SourceOptions,
    ) -> None:
        super().__init__(name, spec)
        left_out = LeftOut()
        self._root = root
        self._list = ""  # its digest
        self._files = [
            Path(file).relative_to(root).as_posix() for file in photographs_below(root, left_out)
        ]
        if not self._files:
            raise InputError(
                f"{printable(root)}: holds no photographs: expected files "
                f"*{' *'.join(photograph.EXTENSIONS)}"
            )
        if options.labels is None:
            self._labels = [UNLABELLED] * len(self._files)
            self.read_as["unlabelled"] = True
            self.said = left_out.sentences()
        else:
            self._take(options.labels, num_classes, options, left_out)

    def _take(
        self, path: Path, num_classes: int | None, options: SourceOptions, left_out: LeftOut
    ) -> None:
        """What the list says of the files."""
        names = _Names(self._root, self._files)
        listed = LabelList.read(path, names.find, by_name=options.classes is not None)
        found = names.of(listed)
        unlisted = len(self._files) - len(found)
        labels = _labels(listed, num_classes, options)
        self._files = found
        self._labels = labels.of(listed)
        for entry, label in zip(listed.entries, self._labels, strict=True):
            check_label(label, num_classes, f"{printable(path)} line {entry.line}")
        self._list = listed.file.sha256
        self.read_as["labels"] = listed.file.recorded()
        if labels.named is not None:
            self.num_classes = labels.named.classes
            self.read_as.update(labels.named.read_as or {"classes": "sorted names"})
        self.said = (
            f"{_number(len(found), 'label')} by {printable(path.name)}{listed.columns}",
            *labels.said,
            *(
                (f"left out {_number(unlisted, 'photograph')} that it does not name",)
                * (unlisted > 0)
            ),
            *left_out.sentences(),
        )

    def __len__(self) -> int:
        """The number of photographs."""
        return len(self._files)

    def label(self, index: int) -> int:
        """The photograph's class by the list; -1 without labels."""
        return self._labels[index]

    def encoded(self, index: int) -> tuple[bytes, str]:
        """See EncodedSource.encoded."""
        file = self._root / self._files[index]
        return photograph.read_bytes(file), printable(file)

    def digest(self) -> str:
        """Of the list, and of the relative paths, sizes and labels."""
        return digest.of_listing(
            [
                ("flat", self._list),
                *(
                    (file, str(digest.size(self._root / file)), str(label))
                    for file, label in zip(self._files, self._labels, strict=True)
                ),
            ]
        )


class _Labels:
    """The classes of a list: numbers as they are, names by what they stand for."""

    def __init__(self, named: NamedClasses | None) -> None:
        self.named = named
        self.said: tuple[str, ...] = ()
        if named is not None:
            self.said = named.said or (f"classes by the {named.classes} sorted names",)

    def of(self, listed: LabelList) -> list[int]:
        """The label of every entry."""
        if self.named is None:
            return [int(entry.label) for entry in listed.entries]
        return [self.named.index[entry.label] for entry in listed.entries]


def _labels(listed: LabelList, num_classes: int | None, options: SourceOptions) -> _Labels:
    if options.classes is None and all(is_index(entry.label) for entry in listed.entries):
        return _Labels(None)
    return _Labels(
        classes_of(
            {entry.label for entry in listed.entries},
            num_classes,
            options.classes,
            printable(listed.file.path),
            "names of classes",
        )
    )


def _number(count: int, what: str) -> str:
    return f"{count:,} {what}{'s' * (count != 1)}"


class _Names:
    """Finds the photographs of a folder by the names that lists call them."""

    def __init__(self, root: Path, files: Sequence[str]) -> None:
        self._root = root
        self._own = f"{os.path.basename(os.path.abspath(root))}/"  # noqa: PTH100, PTH119
        self._files = set(files)
        stems = Counter(map(_stem, files))
        self._by_stem: dict[str, str] = {
            _stem(file): file for file in files if stems[_stem(file)] == 1
        }
        bases = Counter(file.rpartition("/")[2] for file in files)
        for file in files:  # a bare name is found in a subfolder too, where it is the only one
            base = file.rpartition("/")[2]
            if bases[base] == 1 and self._by_stem.setdefault(base, file) != file:
                del self._by_stem[base]  # it is another one's name without its extension

    def find(self, name: str) -> str | None:
        """The path of the photograph that a list calls `name`; None where there is none."""
        plain = PurePosixPath(name.replace("\\", "/")).as_posix()
        for path in (plain, plain.removeprefix(self._own)):
            if path in self._files:
                return path
            if path in self._by_stem:
                return self._by_stem[path]
        return None

    def of(self, listed: LabelList) -> list[str]:
        """The path of every entry's photograph; raises InputError naming the first line that has
        none, or one that an earlier line has."""
        found: dict[str, int] = {}
        for entry in listed.entries:
            where = f"{printable(listed.file.path)} line {entry.line}"
            path = self.find(entry.name)
            if path is None:
                raise InputError(f"{where}: {self._missing(entry)}")
            if path in found:
                raise InputError(
                    f"{where}: names {printable(path)} again, after line {found[path]}: expected "
                    "each photograph once; remove one of the lines"
                )
            found[path] = entry.line
        return list(found)

    def _missing(self, entry: Entry) -> str:
        stem = _alike(entry.name)
        near = sorted(file for file in self._files if _alike(file) == stem)
        hint = f" (there is {some_of(near, 3)})" if near else ""
        return (
            f"names {printable(entry.name)[:80]}, which is no photograph in "
            f"{printable(self._root)}{hint}: expected names of its files; correct the line, or "
            "give the folder that it is in"
        )


def _alike(name: str) -> str:
    """What names have in common that differ in folder, extension, case, or accents' encoding."""
    return unicodedata.normalize("NFC", PurePosixPath(name).stem).casefold()


def _stem(file: str) -> str:
    return str(PurePosixPath(file).with_suffix(""))
