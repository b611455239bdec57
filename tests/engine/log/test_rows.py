"""Rows: their text, and what is read back from it."""

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.log.rows import (
    COLUMNS,
    TRANSFER_COLUMNS,
    Certificate,
    check_labels,
    columns_of,
    format_time,
    header_of,
    read_fields,
)
from smoothcert.engine.statistics.bounds import ABSTAIN
from smoothcert.engine.statistics.procedures import Decision, Transfer

PLAIN = Certificate(17, 3, Decision(3, 0.5, 90, 100, 10, 110), 61.5, "0123456789abcdef")
TRANSFERRED = replace(
    PLAIN, decision=replace(PLAIN.decision, transfer=Transfer(ABSTAIN, 0.0, 7, 50, 0.123456789))
)


@pytest.mark.parametrize("row", [PLAIN, TRANSFERRED])
def test_fields_are_the_columns_and_make_the_row_again(row: Certificate) -> None:
    fields = row.fields()
    columns = columns_of({} if row is PLAIN else {"n_zeta": 50})
    assert tuple(fields) == columns
    assert row.line() == "\t".join(fields[name] for name in columns) + "\n"
    assert Certificate.of_fields(fields) == replace(row, seconds=0.0)


def test_an_abstention_covers_nothing_and_is_not_correct() -> None:
    fields = Certificate(0, 3, Decision(ABSTAIN, 0.0, 50, 100, 10, 110), 0.0, "").fields()
    assert (fields["correct"], fields["covers"]) == ("0", "0")
    assert TRANSFERRED.fields()["covers_transfer"] == "0"
    assert TRANSFERRED.fields()["covers"] == PLAIN.fields()["covers"] == "16256"


def test_nothing_is_correct_without_a_label() -> None:
    """Though an abstention is -1 too."""
    for predict in (ABSTAIN, 0, 3):
        row = replace(PLAIN, label=-1, decision=replace(PLAIN.decision, predict=predict))
        assert row.fields()["correct"] == "0"
        assert Certificate.of_fields(row.fields()) == replace(row, seconds=0.0)


UNLABELLED = {"source": {"read_as": {"unlabelled": True}}}


@pytest.mark.parametrize(
    ("label", "run", "words"),
    [
        (-1, {}, "label '-1' for image 17 of a labelled source"),
        (-1, {"source": {"read_as": {"unlabelled": 1}}}, "label '-1' for image 17 of a labelled"),
        (-1, {"source": {"read_as": True}}, "of a labelled source"),
        (-1, {"source": []}, "of a labelled source"),
        (0, UNLABELLED, "label '0' for image 17 of an unlabelled source"),
        (3, {"source": {"read_as": {"columns": ["image", "label"]}}}, None),
        (3, {}, None),
        (-1, UNLABELLED, None),
    ],
)
def test_a_label_is_missing_where_the_source_has_none(
    label: int, run: dict[str, Any], words: str | None, tmp_path: Path
) -> None:
    rows = {17: replace(PLAIN, label=label).line()}
    raises = nullcontext() if words is None else pytest.raises(InputError, match=words)
    with raises:
        check_labels(tmp_path / "out.tsv", rows, COLUMNS, run)


def test_text_that_is_no_number_is_no_certificate() -> None:
    with pytest.raises(ValueError, match="ninety"):
        Certificate.of_fields({**PLAIN.fields(), "count": "ninety"})


def test_the_digest_of_the_pixels_is_logged_and_repeats_are_not() -> None:
    fields = replace(PLAIN, repeated=4, turned=1).fields()
    assert fields == PLAIN.fields()
    assert fields["pixels"] == "0123456789abcdef"
    assert COLUMNS[-1] == "pixels"


@pytest.mark.parametrize("index", ["017", "+17", "1_7", "٣", "9" * 5000, "", "-1"])
def test_an_index_is_a_plain_number(index: str, tmp_path: Path) -> None:
    log = tmp_path / "out.tsv"
    log.write_text(header_of(COLUMNS) + PLAIN.line().replace("17\t", f"{index}\t", 1))
    with pytest.raises(InputError, match="line 2 is no row"):
        read_fields(log, COLUMNS)


def test_a_log_of_an_earlier_version_is_called_so(tmp_path: Path) -> None:
    log = tmp_path / "out.tsv"
    log.write_text(header_of(COLUMNS[:-1]))
    with pytest.raises(InputError, match=r"has no column pixels.*an earlier version wrote it"):
        read_fields(log, COLUMNS)


def test_complete_rows_are_read_and_a_torn_one_is_not(tmp_path: Path) -> None:
    log = tmp_path / "out.tsv"
    log.write_text(header_of(COLUMNS) + PLAIN.line() + "18\t3\t3")
    assert read_fields(log, COLUMNS) == {17: PLAIN.fields()}
    with pytest.raises(InputError, match="has the header"):
        read_fields(log, COLUMNS + TRANSFER_COLUMNS)
    with pytest.raises(InputError, match="cannot be read as a log"):
        read_fields(tmp_path / "absent.tsv", COLUMNS)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0:00:00.000000"),
        (0.0000004, "0:00:00.000000"),
        (59.9999996, "0:01:00.000000"),
        (151.238689, "0:02:31.238689"),
        (360000.5, "100:00:00.500000"),
    ],
)
def test_time_is_printed_as_the_original_does(seconds: float, text: str) -> None:
    assert format_time(seconds) == text
