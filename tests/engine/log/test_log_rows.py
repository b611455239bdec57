"""The rows of a log, line by line: each is named where it is none, and kept byte for byte."""

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.log.log_rows import check_header, row_of, rows_in
from smoothcert.engine.log.row_form import RowFormError
from smoothcert.engine.log.row_rules import RowRules
from smoothcert.engine.log.rows import COLUMNS, Certificate, earlier_columns, header_of
from smoothcert.engine.statistics.procedures import Decision, FixedCertify

PATH = Path("out.tsv")
FIXED = FixedCertify(0.5, 10, 100)
ROW = Certificate(0, 3, Decision(3, FIXED.radius_of(99, 100), 99, 100, 10, 110), 1.5, "0" * 16)
RULES = RowRules(FIXED, 4, 9, range(0, 9, 2))
HEADER = header_of(COLUMNS).encode()


def lines_of(*images: int) -> bytes:
    return b"".join(replace(ROW, index=index).line().encode() for index in images)


def read(content: bytes, rules: RowRules | None = RULES, **options: Any) -> list[bytes]:
    return [row.line for row in rows_in(PATH, io.BytesIO(content), {}, rules, **options)]


def refusal(content: bytes, **options: Any) -> str:
    with pytest.raises(InputError) as refused:
        read(content, **options)
    said = str(refused.value)
    assert said.isprintable()
    assert len(said) < 700
    return said


@pytest.mark.parametrize("ascending", [False, True])
def test_rows_keep_their_bytes(ascending: bool) -> None:
    rows = lines_of(0, 2, 6)
    assert b"".join(read(HEADER + rows, ascending=ascending)) == rows
    assert read(HEADER) == []


def test_the_order_counts_where_a_run_is_finished() -> None:
    content = HEADER + lines_of(0, 6, 2)
    assert b"".join(read(content)) == lines_of(0, 6, 2)
    assert "line 4 comes after image 6, and is of image 2" in refusal(content, ascending=True)


@pytest.mark.parametrize("ascending", [False, True])
def test_an_image_has_one_row(ascending: bool) -> None:
    assert "line 3 repeats image 2" in refusal(HEADER + lines_of(2, 2), ascending=ascending)
    assert "line 4 repeats image 0 of line 2" in refusal(HEADER + lines_of(0, 2, 0))


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (lines_of(0, 3), "line 3 is no row of this run: it is of image 3, which is not one of"),
        (lines_of(0, 10), "line 3 is no row of this run: it is of image 10, which is not in the"),
        (lines_of(0)[:-1], "line 2 is no row of this run: it is torn"),
        (lines_of(0) + b"\n", "line 3 is no row of this run: it has not 12 fields"),
        (b"9" * 10**6, "line 2 is no row of this run: it is longer than any row"),
        (lines_of(0).replace(b"\t99\t", b"\t98\t"), "it contradicts itself: radius"),
        (lines_of(0).replace(b"0\t3\t", b"0\t-1\t", 1), "has label -1, of a labelled source"),
    ],
)
def test_a_line_that_is_no_row_is_named(rows: bytes, words: str) -> None:
    assert words in refusal(HEADER + rows)
    assert words in refusal(HEADER + rows, ascending=True)


def test_what_a_row_must_be_is_its_form_alone_where_nothing_more_is_asked() -> None:
    forged = lines_of(3).replace(b"\t99\t", b"\t98\t")
    assert read(HEADER + forged, rules=None) == [forged]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"", "has the header ''"),
        (HEADER[:-1], "has the header"),
        (HEADER[:-1] + b"\r\n", r"pixels\r\n'"),
        (b"\x1b[31m\xff\n", r"\x1b[31m\xff"),
        (b"x" * 10**6, "xxx...:"),
        (header_of(earlier_columns(COLUMNS)).encode(), "an earlier version wrote it"),
    ],
)
def test_another_header_is_shown(line: bytes, words: str) -> None:
    with pytest.raises(InputError) as refused:
        check_header(PATH, line, COLUMNS)
    assert words in str(refused.value)
    assert str(refused.value).isprintable()
    check_header(PATH, HEADER, COLUMNS)


def test_one_line() -> None:
    row = row_of(lines_of(4), COLUMNS)
    assert (row.index, row.line, row.fields["count"]) == (4, lines_of(4), "99")
    assert row.certificate == replace(ROW, index=4)
    for torn in (b"", lines_of(4)[:-1], lines_of(4)[:-1] + b"\r"):
        with pytest.raises(RowFormError, match="is torn"):
            row_of(torn, COLUMNS)
