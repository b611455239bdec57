"""Rows under audit: those that are whole are read, and all that is wrong is said, line by line."""

from dataclasses import replace
from pathlib import Path

import pytest

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.log.rows import COLUMNS, Certificate, earlier_columns, header_of
from smoothcert.engine.run.audit_rows import LoggedRows, read_rows_under_audit
from smoothcert.engine.statistics.procedures import Decision

ROW = Certificate(0, 3, Decision(3, 0.5, 90, 100, 10, 110), 0.0, "0123456789abcdef")
HEADER = header_of(COLUMNS)


def lines_of(*images: int) -> str:
    return "".join(replace(ROW, index=index).line() for index in images)


def read(tmp_path: Path, content: str | bytes, *, in_order: bool = True) -> LoggedRows:
    log = tmp_path / "o.tsv"
    log.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_rows_under_audit(log, COLUMNS, in_order=in_order)


def test_whole_rows(tmp_path: Path) -> None:
    found = read(tmp_path, HEADER + lines_of(0, 7))
    assert found.findings == []
    assert found.certificates == {index: replace(ROW, index=index) for index in (0, 7)}
    assert found.fields[7] == replace(ROW, index=7).fields()
    assert found.present == {0: 2, 7: 3}


def test_what_is_wrong_is_said_of_every_line(tmp_path: Path) -> None:
    lines = [
        lines_of(4),
        lines_of(2),
        lines_of(4),
        "5\tx\n",
        "\x1b[31m\n",
        lines_of(6)[:-1] + "\r\n",
        lines_of(8).replace("\t90\t", "\t+90\t"),
        lines_of(9)[:-1],
    ]
    found = read(tmp_path, HEADER + "".join(lines))
    assert [each[:38] for each in found.findings] == [
        "the last line is torn: '9\\t3\\t3\\t0.500",
        "line 4 repeats image 4 of line 2: '4\\t",
        "line 5 has not 12 fields: '5\\tx'",
        "line 6 has not 12 fields: '\\x1b[31m'",
        "line 7 ends with a carriage return, wh",
        "line 8 has count '+90', which is not a",
        "the rows are not in the order of their",
    ]
    assert list(found.certificates) == [4, 2]
    assert found.present == {4: 2, 2: 3, 5: 5, 6: 7, 8: 8}
    assert all(each.isprintable() for each in found.findings)


@pytest.mark.parametrize("in_order", [False, True])
def test_the_order_counts_where_a_run_is_finished(in_order: bool, tmp_path: Path) -> None:
    found = read(tmp_path, HEADER + lines_of(7, 0), in_order=in_order)
    assert len(found.findings) == in_order


@pytest.mark.parametrize("header", ["", "\n", "my notes\n", HEADER[:-1] + "\r\n"])
def test_another_header(header: str, tmp_path: Path) -> None:
    found = read(tmp_path, header + lines_of(0))
    assert any(each.startswith("line 1 is ") for each in found.findings)


def test_a_log_of_a_version_without_digests_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no column pixels"):
        read(tmp_path, header_of(earlier_columns(COLUMNS)))


def test_a_log_of_any_bytes_is_read(tmp_path: Path) -> None:
    found = read(tmp_path, HEADER.encode() + b"\xff\xfe\n" + b"\0" * 999 + b"\n")
    assert [each[:7] for each in found.findings] == ["line 2 ", "line 3 "]
