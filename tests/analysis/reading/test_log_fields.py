"""Fields of a log: what parses, and what only looks like a number."""

from pathlib import Path

import numpy as np
import pytest

from smoothcert.analysis.reading.fields import (
    Table,
    decimals,
    integers,
    loose_decimals,
    parse_time,
    shown,
)
from smoothcert.engine.base.errors import InputError

LOG = Path("some.tsv")


def table(name: str, *texts: str, strict: bool = True) -> Table:
    return Table(LOG, {name: list(texts)}, range(2, 2 + len(texts)), strict)


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
        integers(table("n", "5", text), "n", 0)


@pytest.mark.parametrize("text", ["", " 0.5", "0_1", ".5", "-0.5", "-0.0", "nan", "inf", "1e999"])
def test_bad_decimals(text: str) -> None:
    with pytest.raises(InputError, match=r"some.tsv line 3 has radius '.*: expected a number"):
        decimals(table("radius", "0.5", text), "radius")


def test_every_way_python_prints_a_radius() -> None:
    texts = ["0.0", "1.35", "0.978", "4", "1e-05", "1.2e+01"]
    assert decimals(table("radius", *texts), "radius").tolist() == [
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


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("n", "3.0", 3),
        ("n", "3.", 3),
        ("n", "+3", 3),
        ("n", "-1.0", -1),
        ("n", "tensor(3)", 3),
        ("n", "tensor(3, device='cuda:0')", 3),
        ("n", "tensor([3], device='cuda:0')", 3),
        ("n", "np.int64(3)", 3),
        ("n", "[3]", 3),
        ("correct", "True", 1),
        ("correct", "tensor(False)", 0),
        ("predict", "ABSTAIN", -1),
    ],
)
def test_integers_as_others_print_them(name: str, text: str, value: int) -> None:
    assert integers(table(name, text, strict=False), name, -1).tolist() == [value]
    if text != "3" and value >= 0:
        with pytest.raises(InputError, match="line 2 has"):
            integers(table(name, text), name, 0)


@pytest.mark.parametrize("text", ["", "x", "3.5", "1e3", "True", "tensor(3", "[1, 2", "nan", "٣"])
def test_what_is_no_integer_of_others_either(text: str) -> None:
    with pytest.raises(InputError, match=r"some.tsv line 3 has label '.*: expected an integer"):
        integers(table("label", "5", text, strict=False), "label", 0)


@pytest.mark.parametrize(
    ("text", "value"),
    [("-1.0", -1.0), (".5", 0.5), ("-0.0", 0.0), ("tensor(0.5)", 0.5), ("np.float64(1e-05)", 1e-5)],
)
def test_radii_as_others_print_them(text: str, value: float) -> None:
    (found,) = loose_decimals(table("radius", text, strict=False), "radius")
    assert found == value
    assert not np.signbit(found) or value < 0


@pytest.mark.parametrize("text", ["nan", "NaN", "None", "", "-inf", "tensor(nan)"])
def test_a_radius_that_is_none(text: str) -> None:
    assert np.isnan(loose_decimals(table("radius", text, strict=False), "radius")).all()


@pytest.mark.parametrize("text", ["inf", "1e999", "x", "0_1", "0,5", "٣"])
def test_what_is_no_radius_of_others_either(text: str) -> None:
    with pytest.raises(InputError, match="line 3 has radius"):
        loose_decimals(table("radius", "0.5", text, strict=False), "radius")


@pytest.mark.parametrize(("text", "value"), [("3.000000000000000000e+00", 3), ("-1.0e+00", -1)])
def test_integers_as_numpy_writes_a_matrix(text: str, value: int) -> None:
    assert integers(table("predict", text, strict=False), "predict", -1).tolist() == [value]
    for other in (text, "1.500000000000000000e+00", "9.0e+99"):
        with pytest.raises(InputError, match="expected an integer"):
            integers(table("predict", other, strict=other == text), "predict", -1)
