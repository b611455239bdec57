import hashlib
import io
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.engine.sources import photograph
from smoothcert.engine.sources.archives.parquet import ParquetSource

arrow = pytest.importorskip("pyarrow", reason="parquet sources need pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

SPEC = InputSpec(3, 4, 4)


def png(grey: int) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (4, 4), (grey, grey, grey)).save(stream, "PNG")
    return stream.getvalue()


def write(file: Path, images: list[bytes | None], labels: list[int | None], **options: Any) -> Path:
    """A file in the layout of Hugging Face's `datasets`."""
    rows = [{"bytes": data, "path": f"{i}.png"} for i, data in enumerate(images)]
    image = arrow.struct([("bytes", arrow.binary()), ("path", arrow.string())])
    table = arrow.table(
        {"image": arrow.array(rows, image), "label": arrow.array(labels, arrow.int64())}
    )
    pq.write_table(table, file, **options)
    return file


def test_rows_over_row_groups_and_files(tmp_path: Path) -> None:
    first = write(tmp_path / "a", [png(i) for i in range(7)], list(range(7)), row_group_size=3)
    second = write(tmp_path / "b", [png(i) for i in range(7, 9)], [7, 8])
    source = ParquetSource([first, second], "x", SPEC, 10)
    assert len(source) == 9
    assert [source.label(i) for i in range(9)] == list(range(9))
    for index in [*range(9), 8, 2, 3, 0, 6, 7]:
        assert int(source.image(index)[0, 0, 0]) == index


def test_a_source_travels_to_another_process(tmp_path: Path) -> None:
    file = write(tmp_path / "a", [png(i) for i in range(5)], list(range(5)), row_group_size=2)
    source = ParquetSource([file], "x", SPEC, 10)
    source.image(1)  # a row group is kept, which does not travel
    pickled = pickle.dumps(source)
    assert len(pickled) < 4000
    again = pickle.loads(pickled)
    assert [int(again.image(i)[0, 0, 0]) for i in range(5)] == list(range(5))
    assert again.describe() == source.describe()


def test_empty_row_groups_are_passed_over(tmp_path: Path) -> None:
    whole = pq.read_table(write(tmp_path / "whole", [png(0), png(1)], [0, 1]))
    with pq.ParquetWriter(tmp_path / "x", whole.schema) as writer:
        for part in (whole[:0], whole[:1], whole[:0], whole[1:], whole[:0]):
            writer.write_table(part)
    assert pq.ParquetFile(tmp_path / "x").num_row_groups == 5
    source = ParquetSource([tmp_path / "x"], "x", SPEC, 10)
    assert [int(source.image(i)[0, 0, 0]) for i in range(2)] == [0, 1]


def test_real_photographs(photographs: list[tuple[Path, int]], tmp_path: Path) -> None:
    labels: list[int | None] = [label for _, label in photographs]
    data: list[bytes | None] = [path.read_bytes() for path, _ in photographs]
    file = write(tmp_path / "test-00000-of-00001.parquet", data, labels, row_group_size=8)
    spec = InputSpec(3, 224, 224, resize=256)
    source = ParquetSource([file], file.name, spec, 1000)
    assert [source.label(i) for i in range(20)] == labels
    for index, (path, _) in enumerate(photographs):
        np.testing.assert_array_equal(
            source.image(index), photograph.decode(path.read_bytes(), "", spec)
        )


def test_other_columns_and_integer_types(tmp_path: Path) -> None:
    image = arrow.struct([("path", arrow.string()), ("bytes", arrow.large_binary())])
    table = arrow.table(
        {
            "id": ["x"],
            "label": arrow.array([3], arrow.uint8()),
            "image": arrow.array([{"bytes": png(5), "path": None}], image),
        }
    )
    pq.write_table(table, tmp_path / "x")
    source = ParquetSource([tmp_path / "x"], "x", SPEC, 10)
    assert source.label(0) == 3
    assert int(source.image(0)[0, 0, 0]) == 5


STRUCT = {"bytes": b"", "path": ""}


@pytest.mark.parametrize(
    "columns",
    [
        {"image": [STRUCT]},
        {"label": [1]},
        {"image": [[1, 2]], "label": [1]},
        {"image": [{"path": "x"}], "label": [1]},
        {"image": [{"bytes": "x"}], "label": [1]},
        {"image": [STRUCT], "label": [1.0]},
        {"image": [STRUCT], "label": [[1]]},
    ],
)
def test_other_columns_are_refused(tmp_path: Path, columns: dict[str, list[Any]]) -> None:
    pq.write_table(arrow.table(columns), tmp_path / "x.parquet")
    with pytest.raises(
        InputError, match=r"x\.parquet: has the columns .*: expected the columns image"
    ) as caught:
        ParquetSource([tmp_path / "x.parquet"], "x", SPEC, 10)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([1, None], "has 1 rows without a label"),
        ([1, 10], r"image 1 has label 10: expected 0\.\.9"),
        ([-1, 0], "image 0 has label -1"),
        ([], "holds no images"),
    ],
)
def test_labels_are_checked(tmp_path: Path, labels: list[int | None], message: str) -> None:
    file = write(tmp_path / "x.parquet", [png(0)] * len(labels), labels)
    with pytest.raises(InputError, match=rf"x\.parquet: {message}"):
        ParquetSource([file], "x", SPEC, 10)


def test_photographs_that_are_not_there_or_damaged_are_named(tmp_path: Path) -> None:
    file = write(tmp_path / "x.parquet", [png(0), None, b"text"], [0, 1, 2], row_group_size=2)
    source = ParquetSource([file], "x", SPEC, 10)
    with pytest.raises(InputError, match="row 1 of row group 0 holds no bytes"):
        source.image(1)
    with pytest.raises(InputError, match="row 0 of row group 1: cannot be decoded"):
        source.image(2)


def test_damaged_files_are_named(tmp_path: Path) -> None:
    file = write(tmp_path / "x.parquet", [png(0)], [0])
    whole = file.read_bytes()
    for content in (b"", b"text", whole[: len(whole) // 2], whole[:-4], b"PAR1" + bytes(20)):
        file.write_bytes(content)
        with pytest.raises(InputError, match=r"x\.parquet: cannot be read as parquet") as caught:
            ParquetSource([file], "x", SPEC, 10)
        assert "\n" not in str(caught.value)


def test_damaged_pages_are_named_when_they_are_read(tmp_path: Path) -> None:
    images: list[bytes | None] = [np.random.default_rng(i).bytes(2000) for i in range(4)]
    file = write(tmp_path / "x.parquet", images, [0] * 4, compression="gzip")
    content = bytearray(file.read_bytes())
    content[1000:3000] = bytes(2000)
    file.write_bytes(content)
    source = ParquetSource([file], "x", SPEC, 10)
    with pytest.raises(InputError, match=r"x\.parquet: cannot be read as parquet"):
        source.image(0)


def test_the_description(tmp_path: Path) -> None:
    files = [write(tmp_path / name, [png(0)], [0]) for name in ("a.parquet", "b.parquet")]
    description = ParquetSource(files, "data", SPEC, 10).describe()
    assert description == {
        "kind": "parquet",
        "name": "data",
        "images": 2,
        "classes": None,
        "digest": hashlib.sha256(b"".join(f.read_bytes() for f in files)).hexdigest(),
    }
    assert json.loads(json.dumps(description)) == description


def test_a_photograph_can_be_had_whole(tmp_path: Path) -> None:
    stream = io.BytesIO()
    Image.new("RGB", (60, 40), (200, 100, 50)).save(stream, "PNG")
    file = write(tmp_path / "x", [png(0), stream.getvalue()], [0, 1])
    source = ParquetSource([file], "x", InputSpec(3, 8, 8, resize=10), 2)
    assert (source.whole(1).size, source.whole(1).mode) == ((60, 40), "RGB")


def named(file: Path, labels: list[Any], names: list[str] | None = None) -> Path:
    """A file whose schema names the classes of its indices."""
    rows = [{"bytes": png(i), "path": ""} for i in range(len(labels))]
    table = arrow.table({"image": rows, "label": labels})
    if names is not None:
        features = {"label": {"names": names, "_type": "ClassLabel"}}
        info = json.dumps({"info": {"features": features}})
        table = table.replace_schema_metadata({"huggingface": info})
    pq.write_table(table, file)
    return file


def test_files_whose_indices_are_of_other_classes_are_refused(tmp_path: Path) -> None:
    first = named(tmp_path / "a", [0, 1], ["cat", "dog"])
    other = named(tmp_path / "b", [0, 1], ["dog", "cat"])
    unnamed = named(tmp_path / "c", [1, 0])
    with pytest.raises(InputError, match=r"b: has other classes, or in another order, than .*a:"):
        ParquetSource([first, other], "x", SPEC, 2)
    source = ParquetSource([first, unnamed], "x", SPEC, 2)
    assert [source.label(i) for i in range(4)] == [0, 1, 1, 0]


def test_indices_and_names_are_not_mixed(tmp_path: Path) -> None:
    files = [named(tmp_path / "a", [0, 1]), named(tmp_path / "b", ["cat"])]
    with pytest.raises(InputError, match=r"b: has other types of columns than .*a:"):
        ParquetSource(files, "x", SPEC, 3)
