import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.engine.sources.archives.parquet import ParquetSource
from smoothcert.engine.sources.options import SourceOptions

arrow = pytest.importorskip("pyarrow", reason="parquet sources need pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

SPEC = InputSpec(3, 4, 4)


def png(grey: int) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (4, 4), (grey, grey, grey)).save(stream, "PNG")
    return stream.getvalue()


STRUCTS = [{"bytes": png(i), "path": None} for i in range(3)]
BYTES = [png(i) for i in range(3)]


def write(file: Path, columns: dict[str, Any], **names: list[str]) -> Path:
    """A file of `datasets`, of which `names` are the classes of columns of type ClassLabel."""
    table = arrow.table(columns)
    features = {name: {"names": some, "_type": "ClassLabel"} for name, some in names.items()}
    described = {"huggingface": json.dumps({"info": {"features": features}})}
    pq.write_table(table.replace_schema_metadata(described if names else None), file)
    return file


def opened(
    file: Path, columns: dict[str, Any], num_classes: int | None = 10, options: Any = None,
    **names: list[str],
) -> ParquetSource:  # fmt: skip
    write(file, columns, **names)
    return ParquetSource([file], file.name, SPEC, num_classes, SourceOptions(**(options or {})))


def labels(source: ParquetSource) -> list[int]:
    return [source.label(i) for i in range(len(source))]


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"img": STRUCTS, "label": [4, 0, 7]}, ["img", "label"]),
        ({"image": BYTES, "label": [4, 0, 7]}, None),
        ({"image": STRUCTS, "labels": [4, 0, 7]}, ["image", "labels"]),
        ({"id": ["a", "b", "c"], "img": BYTES, "class_label": [4, 0, 7]}, ["img", "class_label"]),
        ({"jpg": BYTES, "cls": [4, 0, 7], "json": ["{}"] * 3}, ["jpg", "cls"]),
        ({"photograph": STRUCTS, "label": [4, 0, 7]}, ["photograph", "label"]),
        ({"image": STRUCTS, "mask": BYTES, "label": [4, 0, 7]}, None),
        ({"image": STRUCTS, "label": [4, 0, 7], "fine_label": [1, 1, 1]}, None),
        ({"image": STRUCTS, "label": ["4", "0", "7"]}, None),
    ],
)
def test_columns_are_found_by_name(
    tmp_path: Path, columns: dict[str, Any], expected: list[str] | None
) -> None:
    source = opened(tmp_path / "x.parquet", columns)
    assert labels(source) == [4, 0, 7]
    assert [int(source.image(i)[0, 0, 0]) for i in range(3)] == [0, 1, 2]
    assert source.describe().get("read_as") == (expected and {"columns": expected})
    assert source.said == (
        (f"images from the column {expected[0]}, labels from {expected[1]}",) if expected else ()
    )


CIFAR100 = {"img": STRUCTS, "fine_label": [4, 0, 7], "coarse_label": [1, 2, 3]}


def test_of_two_labels_the_models_number_of_classes_decides(tmp_path: Path) -> None:
    file = tmp_path / "x.parquet"
    assert labels(opened(file, CIFAR100, 100)) == [4, 0, 7]
    assert labels(opened(file, CIFAR100, 20)) == [1, 2, 3]
    for num_classes in (None, 50):
        with pytest.raises(
            InputError, match=r"fine_label, coarse_label may be .*--columns img,LAB"
        ):
            opened(file, CIFAR100, num_classes)
    asked = {"columns": ("img", "fine_label")}
    source = opened(file, CIFAR100, None, asked)
    assert labels(source) == [4, 0, 7]
    assert source.said == ()
    assert source.describe()["read_as"] == {"columns": ["img", "fine_label"]}
    both = {"image": STRUCTS, "labels": [4, 0, 7], "target": [1, 0, 1]}
    names = {"labels": list("abcdefghij"), "target": ["no", "yes"]}
    assert labels(opened(file, both, 10, **names)) == [4, 0, 7]
    assert labels(opened(file, both, 2, **names)) == [1, 0, 1]


def test_names_of_classes(tmp_path: Path) -> None:
    file = tmp_path / "x.parquet"
    columns = {"image": STRUCTS, "label": ["b", "c", "a"]}
    source = opened(file, columns, 3)
    assert labels(source) == [1, 2, 0]
    assert source.describe()["read_as"] == {"classes": "sorted names"}
    encoded = {**columns, "label": arrow.array(["b", "c", "a"]).dictionary_encode()}
    assert labels(opened(file, encoded, 3)) == [1, 2, 0]
    classes = tmp_path / "classes.txt"
    classes.write_text("c\nb\na\nd\n")
    assert labels(opened(file, columns, 4, {"classes": classes})) == [1, 0, 2]
    with pytest.raises(InputError, match=r"holds 3 names of classes \(a, b, c\), the model has 5"):
        opened(file, columns, 5)


def test_indices_that_the_file_has_names_for(tmp_path: Path) -> None:
    """Ten classes of ImageNet are no first ten of a thousand."""
    file = tmp_path / "x.parquet"
    columns = {"image": STRUCTS, "label": [1, 0, 1]}
    wnids = ["n01440764", "n02979186"]
    assert labels(opened(file, columns, 2, label=wnids)) == [1, 0, 1]
    assert labels(opened(file, columns, None, label=wnids)) == [1, 0, 1]
    source = opened(file, columns, 1000, label=wnids)
    assert labels(source) == [482, 0, 482]
    assert source.describe()["read_as"] == {"classes": "ILSVRC-2012"}
    with pytest.raises(InputError, match=r"holds 2 names of classes \(cat, dog\), the model has 5"):
        opened(file, columns, 5, label=["cat", "dog"])
    classes = tmp_path / "classes.txt"
    classes.write_text("dog\nhen\ncat\n")
    assert labels(opened(file, columns, 3, {"classes": classes}, label=["cat", "dog"])) == [0, 2, 0]
    with pytest.raises(InputError, match=r"--classes is for names: the labels of .* are class ind"):
        opened(file, columns, 3, {"classes": classes})
    with pytest.raises(InputError, match=r"image 0 has label 3: expected 0\.\.1"):
        opened(file, {**columns, "label": [3, 0, 1]}, 1000, label=wnids)


@pytest.mark.parametrize(
    "metadata", [b"", b"{", b"[]", b'{"info": {"features": 3}}', b'{"info": {"features": {"label": '
                 b'{"names": [1, 2]}}}}', b"\xff", b'{"info": {"features": {"label": null}}}']
)  # fmt: skip
def test_odd_metadata_says_nothing(tmp_path: Path, metadata: bytes) -> None:
    table = arrow.table({"image": STRUCTS, "label": [1, 0, 1]})
    pq.write_table(table.replace_schema_metadata({"huggingface": metadata}), tmp_path / "x")
    assert labels(ParquetSource([tmp_path / "x"], "x", SPEC, 7)) == [1, 0, 1]


def test_without_labels(tmp_path: Path) -> None:
    file = tmp_path / "x.parquet"
    with pytest.raises(InputError, match="where images have no labels, give --unlabelled"):
        opened(file, {"image": STRUCTS})
    for columns in ({"image": STRUCTS}, {"image": STRUCTS, "label": [None, None, None]}):
        source = opened(file, columns, 10, {"unlabelled": True})
        assert labels(source) == [-1, -1, -1]
        assert source.describe()["read_as"] == {"unlabelled": True}
    source = opened(file, {"a": BYTES, "b": BYTES}, 10, {"unlabelled": True, "columns": ("b",)})
    assert source.describe()["read_as"] == {"columns": ["b"], "unlabelled": True}


@pytest.mark.parametrize(
    ("columns", "options", "message"),
    [
        ({"a": BYTES, "b": BYTES, "label": [1, 2, 3]}, {}, "a, b may be the images"),
        ({"img": BYTES, "picture": BYTES, "label": [1, 2, 3]}, {}, "img, picture may be the im"),
        ({"image": STRUCTS, "target": [1, 2, 3], "y": [1, 2, 3]}, {}, "target, y may be the lab"),
        ({"image": STRUCTS, "number": [1, 2, 3]}, {}, "name others by --columns"),
        ({"image": STRUCTS, "label": [1, 2, 3]}, {"columns": ("img", "label")}, "none .* be img"),
        ({"image": STRUCTS, "label": [1, 2, 3]}, {"columns": ("label", "label")}, "none .* be lab"),
        ({"image": STRUCTS, "label": [1, 2, 3]}, {"columns": ("image", "image")}, "can be image"),
    ],
)  # fmt: skip
def test_columns_that_do_not_fit_are_refused(
    tmp_path: Path, columns: dict[str, Any], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=rf"x\.parquet: has the columns .*{message}") as caught:
        opened(tmp_path / "x.parquet", columns, 10, options)
    assert "\n" not in str(caught.value)


def test_files_of_one_data_set(tmp_path: Path) -> None:
    first = write(tmp_path / "a", {"img": STRUCTS, "label": [1, 2, 3]})
    second = write(tmp_path / "b", {"img": STRUCTS, "label": np.array([4, 5, 6], np.int8)})
    assert labels(ParquetSource([first, second], "x", SPEC, 10)) == [1, 2, 3, 4, 5, 6]
    other = write(tmp_path / "c", {"image": STRUCTS, "label": [4, 5, 6]})
    with pytest.raises(InputError, match=r"c: has the columns image .*, none of which can be img"):
        ParquetSource([first, other], "x", SPEC, 10)
    binary = write(tmp_path / "d", {"img": BYTES, "label": [4, 5, 6]})
    with pytest.raises(InputError, match="d: has other types of columns than"):
        ParquetSource([first, binary], "x", SPEC, 10)
