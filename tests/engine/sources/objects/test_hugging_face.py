"""Data sets of Hugging Face: which columns, which classes, in whatever format."""

from typing import Any

import numpy as np
import pytest
from held_data import COUNT, LABELS, SHAPE, random_pixels
from PIL import Image

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.engine.sources import open_source
from smoothcert.engine.sources.objects import shape_of
from smoothcert.engine.sources.options import SourceOptions

datasets = pytest.importorskip("datasets")

SPEC = InputSpec(*SHAPE)
PIXELS = random_pixels()
NAMES = ["ant", "bee", "cat", "dog"]


def table(image: str = "image", **labels: Any) -> Any:
    """Of the images, and of columns of labels: their classes, or None for plain numbers."""
    columns = labels or {"label": NAMES}
    features = {
        name: datasets.Value("int64") if classes is None else datasets.ClassLabel(names=classes)
        for name, classes in columns.items()
    }
    sizes = {name: len(classes or NAMES) for name, classes in columns.items()}
    return datasets.Dataset.from_dict(
        {
            image: [Image.fromarray(pixels) for pixels in PIXELS],
            **{name: (LABELS % size).tolist() for name, size in sizes.items()},
        },
        features=datasets.Features({image: datasets.Image(), **features}),
    )


@pytest.fixture(scope="module")
def plain() -> Any:
    return table()


def check_whole(data: Any, **options: Any) -> Any:
    source = open_source(data, SPEC, 4, SourceOptions(**options))
    for index in range(COUNT):
        assert source.label(index) == LABELS[index]
        assert np.array_equal(source.image(index), PIXELS[index].transpose(2, 0, 1))
    return source


def test_columns_by_their_features(plain: Any) -> None:
    source = check_whole(plain)
    assert "read_as" not in source.describe()
    assert shape_of(plain) == SHAPE
    told = check_whole(table("picture", kind=NAMES))
    assert told.describe()["read_as"] == {"columns": ["picture", "kind"]}
    check_whole(table("picture", labels=None))


@pytest.mark.parametrize("form", ["torch", "numpy"])
def test_any_format_has_the_same_pixels(plain: Any, form: str) -> None:
    check_whole(plain.with_format(form))
    check_whole(plain.with_format(form, columns=["label"]))


def test_a_transform_makes_the_items(plain: Any) -> None:
    def made(rows: Any) -> Any:
        return {"pixel_values": [np.array(image) for image in rows["image"]],
                "labels": rows["label"]}  # fmt: skip

    check_whole(plain.with_transform(made))


def test_a_selection_of_rows_keeps_its_order(plain: Any) -> None:
    source = open_source(plain.select([7, 2, 5]), SPEC, 4)
    assert [source.label(index) for index in range(3)] == LABELS[[7, 2, 5]].tolist()
    assert np.array_equal(source.image(1), PIXELS[2].transpose(2, 0, 1))


def test_of_several_labels_those_of_the_model_or_the_ones_named() -> None:
    both = table(fine=NAMES, coarse=["insect", "mammal"])
    check_whole(both)
    assert open_source(both, SPEC, 2).label(3) == 1
    check_whole(both, columns=("image", "fine"))
    with pytest.raises(InputError, match=r"fine, coarse may be the labels.*columns=\(IMAGE, LABEL"):
        open_source(both, SPEC, 7)


def test_names_count_where_the_model_has_other_classes(plain: Any, tmp_path: Any) -> None:
    with pytest.raises(InputError, match=r"4 names of classes .ant, bee, cat, dog.*7 classes"):
        open_source(plain, SPEC, 7)
    (tmp_path / "classes.txt").write_text("cow\ndog\ncat\nbee\nant\n")
    source = open_source(plain, SPEC, 5, SourceOptions(classes=tmp_path / "classes.txt"))
    assert [source.label(index) for index in range(4)] == [4, 3, 2, 1]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda d: datasets.DatasetDict({"train": d, "test": d}), r"train, test.*data\['test'\]"),
        (lambda d: d.to_iterable_dataset(), "only one after the other"),
        (lambda d: d.remove_columns("label"), "expected one column of the labels.*unlabelled"),
        (lambda d: d.remove_columns("image"), "expected one column of the images"),
    ],
)
def test_what_has_no_images_by_number_is_refused(plain: Any, make: Any, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        open_source(make(plain), SPEC, 4)
    assert "\n" not in str(caught.value)


def test_a_column_of_images_alone(plain: Any) -> None:
    source = open_source(plain.remove_columns("label"), SPEC, 4, SourceOptions(unlabelled=True))
    assert source.label(0) == -1
    assert np.array_equal(source.image(4), PIXELS[4].transpose(2, 0, 1))
