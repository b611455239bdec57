"""Tables whose bytes are not what they say: Arrow's own code ends the process, or reads beyond the
file, where it is not looked at before."""

import struct
from pathlib import Path

import pytest
from hostile_files import fuzz_one, true_file

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.sources import open_source
from smoothcert.engine.sources.base import said_of
from smoothcert.engine.sources.options import SourceOptions

arrow = pytest.importorskip("pyarrow")


def refused(path: Path, options: SourceOptions | None = None) -> str:
    """Why a table is refused, in one printable line."""
    with pytest.raises(InputError) as caught:
        open_source(path, None, None, options or SourceOptions())
    assert str(caught.value).isprintable()
    return str(caught.value)


def test_a_damaged_footer_of_parquet_does_not_end_the_process(tmp_path: Path) -> None:
    """pyarrow does, asked for a column's description whose schema says otherwise."""
    whole = true_file("parquet")
    footer = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    for at in range(footer, footer + 64):
        damaged = whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]
        fuzz_one("parquet", damaged, tmp_path)


def test_arrow_values_beyond_the_file_are_refused_unread(tmp_path: Path) -> None:
    """Arrow itself would read, or copy, whatever lies there."""
    whole = true_file("arrow")
    labels = struct.pack("<3i", 0, 3, 6)
    (tmp_path / "dataset_info.json").write_text("{}")
    for wrong in ((0, 3, 2**30), (0, -(2**30), 6), (2**30, 2**30, 2**30 + 6)):
        assert whole.count(labels) == 1
        (tmp_path / "data.arrow").write_bytes(whole.replace(labels, struct.pack("<3i", *wrong)))
        assert "data.arrow: cannot be read as arrow" in refused(tmp_path)
    size = len(true_file("PNG"))
    photographs = struct.pack("<3i", 0, size, 2 * size)
    for wrong in ((0, size, 2**30), (2**30, size, 2 * size), (0, -(2**30), 2 * size)):
        assert whole.count(photographs) == 1
        damaged = whole.replace(photographs, struct.pack("<3i", *wrong))
        assert fuzz_one("arrow", damaged, tmp_path) == "failed"


def test_a_table_with_fewer_rows_than_it_says(tmp_path: Path) -> None:
    from smoothcert.engine.sources.archives.tables import ParquetTables

    tables = ParquetTables()
    with pytest.raises(ValueError, match="1 rows of 2"):
        tables._check_rows(arrow.chunked_array([[7]]), 2)


def test_t1_columns_with_a_line_end_in_their_names_are_one_line(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    path = tmp_path / "x.parquet"
    pq.write_table(
        arrow.table({"a\n\x1b[31m": [true_file("PNG")], "b\n": [true_file("PNG")], "label": [1]}),
        path,
    )
    assert r"a\n\x1b[31m, b\n may be the images" in refused(path)
    assert r"none of which can be c\n" in refused(path, SourceOptions(columns=("c\n", "label")))
    pq.write_table(arrow.table({"a\n": [true_file("PNG")], "label": [1]}), path)
    (said,) = said_of(open_source(path, None, None, SourceOptions()))
    assert said == r"images from the column a\n, labels from label"
