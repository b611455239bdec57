"""The labels of a data set: all at once where it has them, and else item by item."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.wording import shown
from smoothcert.engine.sources.labelling.classes import classes_of
from smoothcert.engine.sources.labelling.labels import check_label, check_labels, is_index
from smoothcert.engine.sources.objects.kinds import array_of, is_array, is_hugging_face, wrapped
from smoothcert.engine.sources.objects.pictures import kind_of
from smoothcert.engine.sources.options import SourceOptions

_LISTS = ("targets", "labels")
"""What torchvision's data sets call the list of their labels."""


def listed_labels(data: Any, key: str | int | None) -> list[Any] | None:
    """The labels of all items, as they are, of a data set that has them without its images; None
    of another. Whoever reads an item must compare: nothing makes the two agree.

    key  what items call their label
    """
    if is_hugging_face(data):
        if key not in data.column_names:  # a transform made it
            return None
        return list(data.with_format(None).select_columns([key])[key][:])
    if _has_target_transform(data):
        return None
    for name in _LISTS:
        if (found := _as_list(getattr(data, name, None), len(data))) is not None:
            return found
    tensors = getattr(data, "tensors", None)
    if isinstance(tensors, tuple) and len(tensors) > 1 and key == 1:
        return _as_list(tensors[1], len(data))
    if hasattr(data, "dataset") and hasattr(data, "indices"):
        inner = listed_labels(data.dataset, key)
        return None if inner is None else [inner[int(index)] for index in data.indices]
    if isinstance(getattr(data, "datasets", None), list | tuple):
        parts = [listed_labels(part, key) for part in data.datasets]
        joined = [label for part in parts for label in part or ()]
        return joined if None not in parts and len(joined) == len(data) else None
    return None


def _has_target_transform(data: Any) -> bool:
    both = getattr(data, "transforms", None)
    return any(getattr(each, "target_transform", None) is not None for each in (data, both))


def _as_list(value: Any, length: int) -> list[Any] | None:
    """A list of so many labels."""
    if is_array(value):
        value = array_of(value, "labels").tolist()
    if not isinstance(value, list | tuple) or len(value) != length:
        return None
    return list(value) if all(isinstance(each, int | str | np.integer) for each in value) else None


def scalar_of(label: Any, where: str) -> int | str:
    """A label as a number or a name; raises InputError for what is neither."""
    if is_array(label) and int(np.prod(label.shape)) == 1:
        label = array_of(label, where).reshape(()).item()
    if isinstance(label, str):
        return label
    if isinstance(label, int | np.integer):
        return int(label)
    if isinstance(label, float | np.floating) and float(label).is_integer():
        return int(label)
    what = kind_of(label) if label is None or is_array(label) else shown(label)
    raise InputError(
        f"{where} has the label {what}: expected a class index, 0, 1, 2 ...; where there are no "
        "labels, give unlabelled=True"
    )


@dataclass(frozen=True)
class Meaning:
    """What class of the model a label stands for.

    table    by label; None: itself
    classes  how many the data set names, where that is known
    said, read_as  what was inferred, for the user and for the manifest
    """

    num_classes: int | None
    table: Mapping[int | str, int] | None = None
    classes: int | None = None
    said: tuple[str, ...] = ()
    read_as: Mapping[str, Any] = field(default_factory=dict)

    def of(self, label: Any, where: str) -> int:
        """The class index; raises InputError where there is none."""
        found = scalar_of(label, where)
        if self.table is not None:
            if found not in self.table:
                raise InputError(
                    f"{where} has label {shown(found)}: expected one of the data set's "
                    f"{len(self.table)} classes"
                )
            found = self.table[found]
        if isinstance(found, str):
            raise InputError(
                f"{where} has label {shown(found)}: expected a class index, 0, 1, 2 ...; give the "
                "data set a target_transform that makes indices of names"
            )
        check_label(found, self.num_classes, where)
        return found

    def all_of(self, labels: Sequence[Any], where: str) -> npt.NDArray[np.int64]:
        """The class indices of many; raises InputError for the first without one."""
        if self.table is None and all(isinstance(label, int) for label in labels):
            with suppress(OverflowError):  # of a number that the loop below refuses
                indices = np.array(labels, dtype=np.int64)
                check_labels(indices, self.num_classes, where)
                return indices
        found = (self.of(label, f"{where}: image {i}") for i, label in enumerate(labels))
        return np.fromiter(found, dtype=np.int64, count=len(labels))


def meaning_of(
    labels: Sequence[Any] | None,
    names: Sequence[str] | None,
    num_classes: int | None,
    options: SourceOptions,
    where: str,
) -> Meaning:
    """What labels mean: class indices where they are numbers, and what classes_of says of names,
    as numbers are too whose names are known and whose count is not the model's.

    labels  all of them (None: they are read with their items)
    names   of the classes that numbers stand for, in their order (None: unknown)
    Raises InputError where that is unclear.
    """
    listed = options.classes
    texts = {label for label in labels or () if isinstance(label, str)}
    if texts:
        if listed is None and all(map(is_index, texts)):
            return Meaning(num_classes, {text: int(text) for text in texts})
        named = classes_of(texts, num_classes, listed, where, "names of classes")
        table: dict[int | str, int] = {text: named.index[text] for text in texts}
    elif names is not None and (listed is not None or num_classes not in (None, len(names))):
        present = names
        if labels is not None and listed is not None:
            numbers = {scalar_of(label, where) for label in labels}
            present = [name for place, name in enumerate(names) if place in numbers]
        named = classes_of(set(present), num_classes, listed, where, "names of classes")
        table = {i: named.index[name] for i, name in enumerate(names) if name in named.index}
    elif listed is not None:
        raise InputError(
            f"--classes is for names: the labels of {where} are class indices already; leave it out"
        )
    else:
        return Meaning(num_classes)
    said = named.said or (f"classes by the {named.classes} sorted names",)
    read_as = dict(named.read_as) or {"classes": "sorted names"}
    return Meaning(num_classes, table, named.classes, said, read_as)


def class_names(data: Any, key: str | int | None) -> list[str] | None:
    """The names of a data set's classes, in the order of their numbers; None where it has none."""
    if is_hugging_face(data):
        names = getattr(data.features.get(key), "names", None)
    else:
        names = None
        for each in wrapped(data):
            if _has_target_transform(each):
                return None
            names = names or getattr(each, "classes", None)
    if isinstance(names, list | tuple) and names and all(isinstance(n, str) for n in names):
        return list(names)
    return None
