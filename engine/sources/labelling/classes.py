"""Names of classes become the model's indices: by a list, by ILSVRC-2012's, or by their order."""

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.wording import printable
from smoothcert.engine.sources.given_files import some_of
from smoothcert.engine.sources.labelling import ilsvrc2012
from smoothcert.engine.sources.labelling.class_list import ClassList

_FEW = 12
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]*)?")
_WNID = re.compile(r"n[0-9]{8}")


@dataclass(frozen=True)
class NamedClasses:
    """What the names in a source stand for.

    index    the class index of each name
    classes  how many classes there are in all
    read_as  what the manifest keeps of it: nothing where a name's place is its index
    said     the same in words, for the user
    """

    index: Mapping[str, int]
    classes: int
    read_as: Mapping[str, Any] = field(default_factory=dict)
    said: tuple[str, ...] = ()


FOLDERS = "class folders"
"""What the names of folders are, to classes_of: ImageFolder sorts them, whatever they are."""


def classes_of(
    names: Collection[str], num_classes: int | None, file: Path | None, where: str, what: str
) -> NamedClasses:
    """The model's classes of these distinct names, which `where` has for its `what` ("class
    folders").

    With a `file` (--classes), by its lines. Without, by ILSVRC-2012's list where the model has
    1,000 classes and all names are in it; else by a name's place among the sorted names, where
    there are as many as the model has classes (None: unknown, any number). Raises InputError for
    names that none of this explains, and names them; and for those that another reading fits as
    well: numbers that sorting as text puts elsewhere (of folders it is what ImageFolder does), and
    1,000 names that are wnids of ILSVRC-2012 but for some that are no wnids.
    """
    ordered = sorted(names)
    if file is not None:
        return _of_list(ordered, num_classes, ClassList(file), where)
    if num_classes == ilsvrc2012.NUM_CLASSES and set(ordered) <= ilsvrc2012.INDEX.keys():
        return _of_ilsvrc(ordered, what)
    if num_classes is None or len(ordered) == num_classes:
        if num_classes == ilsvrc2012.NUM_CLASSES and _is_ilsvrc_with_others(ordered):
            raise InputError(_misfit(ordered, num_classes, where, what))
        if what != FOLDERS:
            _check_numbers(ordered, where)
        return NamedClasses({name: index for index, name in enumerate(ordered)}, len(ordered))
    raise InputError(_misfit(ordered, num_classes, where, what))


def _is_ilsvrc_with_others(names: Sequence[str]) -> bool:
    """Whether some names are no wnids at all, and all others are those of ILSVRC-2012: a folder too
    many and a class too few, which would move the classes between them."""
    others = [name for name in names if name not in ilsvrc2012.INDEX]
    return 0 < len(others) < len(names) and not any(map(_WNID.fullmatch, others))


def _check_numbers(names: Sequence[str], where: str) -> None:
    """Raise InputError where a name is a number and not its own place among the sorted names."""
    for place, name in enumerate(names):
        if _NUMBER.fullmatch(name) and float(name) != place:
            raise InputError(
                f"{where}: has the class {printable(name)[:40]}, which is class {place} by its "
                "place in sorted order and another by its number: expected class indices 0, 1, 2 "
                "..., or names; correct them, or say which class each is by --classes FILE"
            )


def _of_list(
    names: Sequence[str], num_classes: int | None, listed: ClassList, where: str
) -> NamedClasses:
    listed.check_size(num_classes)
    found = {name: listed.index(name) for name in names}
    missing = [name for name, index in found.items() if index is None]
    if missing:
        raise InputError(
            f"{where}: {some_of(missing)} {'is' if len(missing) == 1 else 'are'} not among the "
            f"{len(listed):,} classes of {printable(listed.file.path)}: expected names from it; "
            "correct one of the two, or leave those images out"
        )
    index = {name: index for name, index in found.items() if index is not None}
    times = Counter(index.values())
    if repeated := [name for name in names if times[index[name]] > 1]:
        raise InputError(
            f"{where}: {some_of(repeated)} are one class by "
            f"{printable(listed.file.path)}: expected a name for each class; correct the list"
        )
    said = f"classes by {printable(listed.file.path.name)}: {_examples(index)}"
    return NamedClasses(index, len(listed), {"classes": listed.file.recorded()}, (said,))


def _of_ilsvrc(names: Sequence[str], what: str) -> NamedClasses:
    index = {name: ilsvrc2012.INDEX[name] for name in names}
    if len(index) == ilsvrc2012.NUM_CLASSES:  # each name's place is its index
        return NamedClasses(index, len(index))
    said = f"labels of {len(index)} {what} by ILSVRC-2012's list of wnids: {_examples(index)}"
    return NamedClasses(index, ilsvrc2012.NUM_CLASSES, {"classes": "ILSVRC-2012"}, (said,))


def _examples(index: Mapping[str, int]) -> str:
    """What the first names became."""
    return some_of([f"{name} is {number}" for name, number in index.items()], 3)


def _misfit(names: Sequence[str], num_classes: int, where: str, what: str) -> str:
    """Why so many names are no classes of the model, and which of them make the difference."""
    listed = f" ({some_of(names)})" if len(names) <= _FEW else ""
    found = f"{where}: holds {len(names)} {what}{listed}, the model has {num_classes} classes"
    unknown = [name for name in names if name not in ilsvrc2012.INDEX]
    if num_classes == ilsvrc2012.NUM_CLASSES and 0 < len(unknown) < len(names):
        return (
            f"{found}: {some_of(unknown)} {'is' if len(unknown) == 1 else 'are'} in no list, the "
            "others are wnids of ILSVRC-2012: expected those alone; move what is no class away, or "
            "say which class each is by --classes FILE"
        )
    return (
        f"{found}: without a list, a class index is a name's place in sorted order, so expected "
        f"all {num_classes}; say which class each is by --classes FILE, whose line k names the "
        "model's class k"
    )
