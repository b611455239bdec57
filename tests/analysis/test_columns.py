"""Fields of a log: what parses, and what only looks like a number."""

from pathlib import Path

import pytest

from smoothcert.analysis.columns import decimals, integers, parse_time, shown, split_columns
from smoothcert.engine.base.errors import InputError

LOG = Path("some.tsv")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0:02:31.238689", 151.238689),
        ("15.4", 15.4),
        ("1 day, 0:00:01", 86_401.0),
        ("2 days, 1:00:00.5", 176_400.5),
        ("30:00:00", 108_000.0),
    ],
)
def test_times(text: str, seconds: float) -> None:
    assert parse_time(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "x", "1:2", "-1", "nan", "inf", "1:2:3:4"])
def test_bad_times(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        parse_time(text)


@pytest.mark.parametrize("text", ["", " 1", "1 ", "1_0", "+1", "1.0", "٣", "1e3", "9" * 5000])
def test_bad_integers(text: str) -> None:
    with pytest.raises(InputError, match=r"some.tsv line 3 has n '.*: expected an integer"):
        integers(LOG, {"n": ["5", text]}, "n", 0)


@pytest.mark.parametrize("text", ["", " 0.5", "0_1", ".5", "-0.5", "-0.0", "nan", "inf", "1e999"])
def test_bad_decimals(text: str) -> None:
    with pytest.raises(InputError, match=r"some.tsv line 3 has radius '.*: expected a number"):
        decimals(LOG, {"radius": ["0.5", text]}, "radius")


def test_every_way_python_prints_a_radius() -> None:
    texts = ["0.0", "1.35", "0.978", "4", "1e-05", "1.2e+01"]
    assert decimals(LOG, {"radius": texts}, "radius").tolist() == [
        0.0,
        1.35,
        0.978,
        4.0,
        1e-5,
        12.0,
    ]


def test_a_long_value_is_shown_in_part() -> None:
    assert shown("ab") == "'ab'"
    assert len(shown("x" * 5000)) == 60


def test_ragged_rows_and_repeated_names() -> None:
    assert split_columns(LOG, ["a\tb", "1\t2", "3\t4"]) == {"a": ["1", "3"], "b": ["2", "4"]}
    with pytest.raises(InputError, match="line 3 has 1 fields: expected 2"):
        split_columns(LOG, ["a\tb", "1\t2", ""])
    with pytest.raises(InputError, match="two columns 'a'"):
        split_columns(LOG, ["a\ta", "1\t2"])
