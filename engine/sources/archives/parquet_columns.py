"""Which columns of a parquet file are the photographs and which their labels: Hugging Face's."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from smoothcert.engine.base.errors import InputError, require
from smoothcert.engine.base.wording import printable
from smoothcert.engine.sources.given_files import some_of
from smoothcert.engine.sources.options import SourceOptions

FORM = "expected the columns image (a struct with bytes, or bytes) and label (an integer or a name)"
DEFAULT = ("image", "label")

_IMAGES = ("image", "img", "images", "photo", "picture", "jpg", "jpeg", "png", "webp")
_LABELS = (
    "label", "labels", "class_label", "fine_label", "coarse_label", "class", "cls", "target",
    "class_id", "label_id", "category", "y",
)  # fmt: skip
_SIZES = {"fine_label": 100, "coarse_label": 20}
"""Classes of CIFAR-100's two columns, where the file's metadata does not say it."""


@dataclass(frozen=True)
class Columns:
    """The columns to read.

    label        None where there are no labels
    class_names  of the labels' indices, where the file's metadata has them
    in_struct    whether the image column is a struct with the field bytes
    in_text      whether the label column is of texts
    """

    image: str
    label: str | None
    class_names: tuple[str, ...] | None
    in_struct: bool
    in_text: bool
    said: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """As --columns has them."""
        return (self.image,) if self.label is None else (self.image, self.label)

    @property
    def is_default(self) -> bool:
        """Whether no name needs to be told."""
        return self.names == DEFAULT[: len(self.names)]


def find_columns(
    schema: Any, options: SourceOptions, num_classes: int | None, where: str
) -> Columns:
    """The columns that --columns names; else image and label; else those that are called like
    them, where one reading fits: of several labels, the one of as many classes as the model.

    Raises InputError, with all columns and their types, where none fits or several do.
    """
    types = require("pyarrow", "parquet", "a parquet source").types
    fields = {field.name: field.type for field in schema}
    names = _class_names(schema)
    found = some_of([f"{name} {type_}" for name, type_ in fields.items()])
    pictures = [name for name, type_ in fields.items() if _is_picture(type_, types)]
    labels = [name for name, type_ in fields.items() if _is_label(type_, types)]
    if options.columns is not None:
        for name, fitting in zip(options.columns, (pictures, labels), strict=False):
            if name not in fitting:
                raise InputError(
                    f"{where}: has the columns {found}, none of which can be "
                    f"{printable(name)}: {FORM}"
                )
        image, label = options.columns[0], [*options.columns, None][1]
    else:
        image = _only(_images(pictures, fields, types), "images", "IMAGE,LABEL", where, found)
        label = None
        if not options.unlabelled:
            of_size = _of_size(_labels(labels, names), names, num_classes)
            label = _only(of_size, "labels", f"{image},LABEL", where, found)
    columns = Columns(
        image,
        label,
        names.get(label) if label else None,
        types.is_struct(fields[image]),
        label is not None and is_text(fields[label], types),
    )
    if columns.is_default or options.columns is not None:
        return columns
    said = f"images from the column {image}" + (f", labels from {label}" if label else "")
    return replace(columns, said=(printable(said),))


def _images(pictures: Sequence[str], fields: Mapping[str, Any], types: Any) -> list[str]:
    """The columns that are most likely images."""
    if DEFAULT[0] in pictures:
        return [DEFAULT[0]]
    structs = [name for name in pictures if types.is_struct(fields[name])]
    return [name for name in pictures if name.lower() in _IMAGES] or structs or list(pictures)


def _labels(labels: Sequence[str], names: Mapping[str, Any]) -> list[str]:
    if DEFAULT[1] in labels:
        return [DEFAULT[1]]
    by_name = [name for name in labels if name.lower() in _LABELS]
    return by_name or [name for name in labels if name in names]


def _of_size(
    candidates: list[str], names: Mapping[str, Sequence[str]], num_classes: int | None
) -> list[str]:
    """Of several columns, those of as many classes as the model, where that is known of all."""
    sizes = [len(names[name]) if name in names else _SIZES.get(name) for name in candidates]
    if len(candidates) < 2 or num_classes is None or None in sizes:
        return candidates
    fitting = [n for n, size in zip(candidates, sizes, strict=True) if size == num_classes]
    return fitting or candidates


def _only(candidates: Sequence[str], what: str, option: str, where: str, found: str) -> str:
    if len(candidates) == 1:
        return candidates[0]
    if candidates:
        raise InputError(
            f"{where}: has the columns {found}, of which {some_of(candidates)} may be the {what}:"
            f" expected one; name it by --columns {option}"
        )
    hint = "; where images have no labels, give --unlabelled" if what == "labels" else ""
    raise InputError(f"{where}: has the columns {found}: {FORM}; name others by --columns{hint}")


def _is_bytes(type_: Any, types: Any) -> bool:
    return bool(types.is_binary(type_) or types.is_large_binary(type_))


def _is_picture(type_: Any, types: Any) -> bool:
    if types.is_struct(type_):
        return any(field.name == "bytes" and _is_bytes(field.type, types) for field in type_)
    return _is_bytes(type_, types)


def _is_label(type_: Any, types: Any) -> bool:
    return bool(types.is_integer(type_) or types.is_boolean(type_) or is_text(type_, types))


def is_text(type_: Any, types: Any) -> bool:
    """Whether a column's values are texts."""
    if types.is_dictionary(type_):
        type_ = type_.value_type
    return bool(types.is_string(type_) or types.is_large_string(type_))


def _class_names(schema: Any) -> dict[str, tuple[str, ...]]:
    """The classes of columns of Hugging Face's type ClassLabel, by the schema's metadata."""
    try:
        described = json.loads((schema.metadata or {})[b"huggingface"])
        features = described["info"]["features"]
        return dict(_of_features(features))
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        return {}


def _of_features(features: Mapping[str, Any]) -> Iterator[tuple[str, tuple[str, ...]]]:
    for column, feature in features.items():
        names = feature.get("names") if isinstance(feature, dict) else None
        if isinstance(names, list) and names and all(isinstance(name, str) for name in names):
            yield column, tuple(names)
