"""Which columns of a `datasets.Dataset` are the images and the labels: by its features."""

from collections.abc import Mapping, Sequence
from typing import Any

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.wording import printable
from smoothcert.engine.sources.given_files import some_of
from smoothcert.engine.sources.objects.items import LABELS
from smoothcert.engine.sources.options import SourceOptions

DEFAULT = ("image", "label")
"""Names that need not be told."""


def is_transformed(data: Any) -> bool:
    """Whether a transform of the user's makes the items (set_transform): then the features say
    nothing of them."""
    form = getattr(data, "format", None)
    return isinstance(form, Mapping) and form.get("type") == "custom"


def columns_of(
    data: Any, name: str, options: SourceOptions, num_classes: int | None
) -> tuple[str, ...]:
    """The columns of the images and of the labels (unless `unlabelled`): those that the options
    name; else the only one of the feature Image, and the only one of ClassLabel, or of integers
    that is called like labels. Of several labels that of as many classes as the model.

    Raises InputError, with all columns and their features, where none fits or several do.
    """
    features = dict(data.features)
    found = some_of([f"{column} {_kind(feature)}" for column, feature in features.items()])
    if options.columns is not None:
        for column in options.columns:
            if column not in features:
                raise InputError(
                    f"{name}: has the columns {found}, and no {printable(column)}: expected "
                    "columns=(IMAGE, LABEL) among them"
                )
        return options.columns
    image = _only([c for c, f in features.items() if _kind(f) == "Image"], "images", name, found)
    if options.unlabelled:
        return (image,)
    labels = [column for column, feature in features.items() if _kind(feature) == "ClassLabel"]
    if len(labels) > 1 and num_classes is not None:
        fitting = [column for column in labels if len(features[column].names) == num_classes]
        labels = fitting or labels
    labels = labels or [column for column in LABELS if column in features]
    return image, _only(labels, "labels", name, found)


def _only(candidates: Sequence[str], what: str, name: str, found: str) -> str:
    if len(candidates) == 1:
        return candidates[0]
    some = f", of which {some_of(candidates)} may be the {what}" if candidates else ""
    hint = "" if candidates or what == "images" else "; where there are none, unlabelled=True"
    raise InputError(
        f"{name}: has the columns {found}{some}: expected one column of the {what}; name them by "
        f"columns=(IMAGE, LABEL){hint}"
    )


def _kind(feature: Any) -> str:
    """What a column holds: Image, ClassLabel, or its type of numbers."""
    kind = type(feature).__name__
    return str(feature.dtype) if kind == "Value" and hasattr(feature, "dtype") else kind
