"""The form of a row: what a run prints is read back, and nothing else is."""

from dataclasses import replace

import pytest

from smoothcert.engine.log.row_form import RowFormError, fields_in, index_in, quoted
from smoothcert.engine.log.rows import COLUMNS, TRANSFER_COLUMNS, Certificate
from smoothcert.engine.statistics.procedures import Decision, Transfer

PLAIN = Certificate(17, 3, Decision(3, 0.5, 90, 100, 10, 110), 61.5, "0123456789abcdef")
ROWS = [
    PLAIN,
    replace(PLAIN, index=0, label=-1, decision=Decision(-1, 0.0, 0, 1, 0, 1), seconds=0.0),
    replace(PLAIN, index=2**32 - 1, label=10**8, seconds=4e8),
    replace(PLAIN, decision=replace(PLAIN.decision, transfer=Transfer(-1, 0.0, 0, 0, 1.0))),
    replace(PLAIN, decision=replace(PLAIN.decision, transfer=Transfer(3, 0.25, 7, 50, 0.2))),
]


def line_of(**changed: str) -> bytes:
    """A row's line without its end, some of its fields changed."""
    return "\t".join({**PLAIN.fields(), **changed}.values()).encode()


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_what_is_printed_is_read_back(row: Certificate) -> None:
    columns = tuple(row.fields())
    fields = fields_in(row.line().encode()[:-1], columns)
    assert fields == row.fields()
    assert "\t".join(fields.values()) + "\n" == row.line()
    assert index_in(row.line().encode()) == row.index


NUMBERS = ["", "x", "00", "01", "+1", "-0", "-2", "1.", "1e3", "0x1", "1_0", " 1", "1 ", "1\v",
           "\u0661", "\uff11", "nan", "inf", "9" * 20, "9" * 5000]  # fmt: skip
RADII = ["", "1", ".500000", "0.5", "0.5000000", "00.500000", "-0.500000", "+0.500000", "1e-1",
         "nan", "inf", "0,500000", "9" * 10 + ".000000", "0.50000\u0660"]  # fmt: skip


WORDS = {
    "label": "a class, or -1",
    "predict": "a class, or -1",
    "radius": "a radius with six decimals",
    "correct": "0 or 1",
    "time": "h:mm:ss.ffffff",
    "count": "a whole number",
    "n0": "a whole number",
    "pixels": "a digest of 16 hexadecimal digits",
}


@pytest.mark.parametrize(
    ("column", "text"),
    [
        *[(column, text) for column in ("idx", "count", "n0") for text in [*NUMBERS, "-1"]],
        *[(column, text) for column in ("label", "predict") for text in NUMBERS],
        *[("radius", text) for text in RADII],
        *[("correct", text) for text in ("", "2", "-1", "00", "True")],
        *[("time", text) for text in ("", "0", "0:60:00.000000", "00:00:00.000000", "0:0:0.0",
                                      "0:00:00.00000", "-1:00:00.000000")],
        *[("pixels", text) for text in ("", "0" * 15, "0" * 17, "A" * 16, "g" * 16)],
    ],
)  # fmt: skip
def test_a_field_is_printed_in_one_way(column: str, text: str) -> None:
    with pytest.raises(RowFormError) as refused:
        fields_in(line_of(**{column: text}), COLUMNS)
    said = str(refused.value)
    assert said.isprintable()
    assert len(said) < 150
    if column == "idx":
        assert said == "begins with no image's index"
    else:
        assert said.startswith(f"has {column} '")
        assert said.endswith(f", which is not {WORDS[column]}")


@pytest.mark.parametrize("text", ["-0.100000", "2.000000000", "0.1", "1.0000000000", "nan"])
def test_the_fields_of_a_transfer_too(text: str) -> None:
    columns = COLUMNS + TRANSFER_COLUMNS
    fields = {**ROWS[-1].fields(), "zeta_upper": text}
    with pytest.raises(RowFormError, match="has zeta_upper"):
        fields_in("\t".join(fields.values()).encode(), columns)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"", "has not 12 fields"),
        (line_of() + b"\t", "has not 12 fields"),
        (line_of() + b"\r", "^ends with a carriage return"),
        (line_of() + b"\xff", "is not UTF-8"),
        (line_of() + b"\n", "has pixels"),
        (b"\0" * 80, "has not 12 fields"),
        (b"\xef\xbb\xbf" + line_of(), "begins with no image's index"),
    ],
)
def test_lines_that_are_no_rows(line: bytes, why: str) -> None:
    with pytest.raises(RowFormError, match=why):
        fields_in(line, COLUMNS)
    assert index_in(line) == (17 if line.startswith(b"17") else None)


def test_bytes_are_shown_in_one_short_printable_line() -> None:
    assert quoted(b"a\tb") == r"'a\tb'"
    assert quoted(b"\t" * 39, 40) == "'" + r"\t" * 39 + "'"
    assert quoted(b"\t" * 40, 40) == "'" + r"\t" * 19 + "\\..."
    for text in (b"x" * 81, b"x" * 10**6, b"\x1b[31m" * 30, bytes(range(256))):
        shown = quoted(text)
        assert shown.isprintable()
        assert shown.endswith("...")
        assert len(shown) <= 84
