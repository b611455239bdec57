"""Rows: their text, and what is read back from it."""

from dataclasses import replace
from typing import Any

import pytest

from smoothcert.engine.log.rows import COLUMNS, Certificate, columns_of, format_time
from smoothcert.engine.statistics.bounds import ABSTAIN
from smoothcert.engine.statistics.procedures import Decision, Transfer

PLAIN = Certificate(17, 3, Decision(3, 0.5, 90, 100, 10, 110), 61.5, "0123456789abcdef")
TRANSFERRED = replace(
    PLAIN, decision=replace(PLAIN.decision, transfer=Transfer(ABSTAIN, 0.0, 7, 50, 0.123456789))
)


TWO_CLASS = replace(PLAIN, decision=replace(PLAIN.decision, runner_up=7))
RUNS: dict[Certificate, dict[str, Any]] = {
    PLAIN: {},
    TRANSFERRED: {"n_zeta": 50},
    TWO_CLASS: {"bound": "two-class"},
}


@pytest.mark.parametrize("row", RUNS)
def test_fields_are_the_columns_and_make_the_row_again(row: Certificate) -> None:
    fields = row.fields()
    columns = columns_of(RUNS[row])
    assert tuple(fields) == columns
    assert row.line() == "\t".join(fields[name] for name in columns) + "\n"
    assert Certificate.of_fields(fields) == row


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
        assert Certificate.of_fields(row.fields()) == row


def test_text_that_is_no_number_is_no_certificate() -> None:
    with pytest.raises(ValueError, match="ninety"):
        Certificate.of_fields({**PLAIN.fields(), "count": "ninety"})


def test_the_digest_of_the_pixels_is_logged_and_repeats_are_not() -> None:
    fields = replace(PLAIN, repeated=4, turned=1).fields()
    assert fields == PLAIN.fields()
    assert fields["pixels"] == "0123456789abcdef"
    assert (PLAIN.repeated, PLAIN.turned) == (0, 0)
    assert COLUMNS[-1] == "pixels"


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
