"""From an object of a Python program to a source of images."""

from typing import Any

from PIL import Image

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.engine.sources import photograph
from smoothcert.engine.sources.arrays.array_source import check_shape
from smoothcert.engine.sources.base import ImageSource
from smoothcert.engine.sources.objects.dataset import DatasetSource, PictureSource, sample
from smoothcert.engine.sources.objects.held_arrays import open_held, shape_of_arrays
from smoothcert.engine.sources.objects.hugging_face import DEFAULT, columns_of, is_transformed
from smoothcert.engine.sources.objects.items import Items
from smoothcert.engine.sources.objects.kinds import (
    arrays_in,
    check_dataset,
    is_hugging_face,
    name_of,
)
from smoothcert.engine.sources.objects.pictures import pixels_of
from smoothcert.engine.sources.options import NOTHING_SAID, SourceOptions


def open_object(
    data: Any, spec: InputSpec | None, num_classes: int | None, options: SourceOptions
) -> ImageSource:
    """The images of an object; see open_source. Raises InputError, in one line, where it has none
    that fit the model."""
    try:
        return _opened(data, spec, num_classes, options)
    except MemoryError:
        raise InputError(
            f"{name_of(data)}: does not fit in memory: expected a smaller source; give a part of it"
        ) from None


def _opened(
    data: Any, spec: InputSpec | None, num_classes: int | None, options: SourceOptions
) -> ImageSource:
    arrays = arrays_in(data)
    if arrays is not None:
        return open_held(*arrays, spec, num_classes, options)
    check_dataset(data)
    options.refuse_unused(name_of(data), "an object", "columns", "classes")
    items, read_as = _items_of(data, options, num_classes)
    value = items.read(0)[0]
    if isinstance(value, Image.Image):
        spec = spec or photograph.DEFAULT_SPEC
        photograph.check_channels(spec)
        return PictureSource(data, items, spec, num_classes, options, read_as)
    if spec is None:
        spec = InputSpec(*_shape_of_array(value, items))
    check_shape(pixels_of(value, items.where(0), spec).shape, items.where(0), spec)
    return DatasetSource(data, items, spec, num_classes, options, read_as)


def shape_of(data: Any, options: SourceOptions = NOTHING_SAID) -> tuple[int, int, int]:
    """(C, H, W) of the images of an object, as its own transform leaves them, for a model that does
    not say its input.

    Raises InputError where it has no images, and where they differ in size, which photographs do:
    then the model's input must be said.
    """
    arrays = arrays_in(data)
    if arrays is not None:
        return shape_of_arrays(*arrays)
    check_dataset(data)
    columns = None if options.columns is None else options.columns[:1]
    items, _ = _items_of(data, SourceOptions(columns=columns, unlabelled=True), None)
    found = {_shape_of_value(items.read(index)[0], items): index for index in sample(len(items))}
    if len(found) > 1:
        one, other = ("x".join(map(str, shape)) for shape in list(found)[:2])
        raise InputError(
            f"{items.name}: has images of several sizes ({one} and {other}, CxHxW): expected those "
            "of the model's input; give input_shape=(C, H, W), such as (3, 224, 224), and resize=S "
            "(256), the shorter side before the crop"
        )
    return next(iter(found))


def _items_of(
    data: Any, options: SourceOptions, num_classes: int | None
) -> tuple[Items, dict[str, Any]]:
    """A data set's items, and what is to be told of how they are read."""
    name = name_of(data)
    if is_hugging_face(data) and not is_transformed(data):
        columns = columns_of(data, name, options, num_classes)
        if data.format["type"] is not None and set(columns) - set(data.format["columns"]):
            data = data.with_format(None)
        told = {} if columns == DEFAULT[: len(columns)] else {"columns": list(columns)}
        return Items(data.select_columns(list(columns)), name, options, columns), told
    told = {} if options.columns is None else {"columns": list(options.columns)}
    return Items(data, name, options), told


def _shape_of_value(value: Any, items: Items) -> tuple[int, int, int]:
    if isinstance(value, Image.Image):
        grey = value.mode in ("1", "L", "LA")
        return (1 if grey else 3), value.height, value.width
    return _shape_of_array(value, items)


def _shape_of_array(value: Any, items: Items) -> tuple[int, int, int]:
    height, width, channels = pixels_of(value, items.where(0), None).shape
    return channels, height, width
