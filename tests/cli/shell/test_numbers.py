"""Numbers that are typed: of a range, in the digits 0 to 9."""

import click
import pytest

from smoothcert.cli.shell.numbers import Number, Numbers
from smoothcert.engine.base.ranges import ALPHA, MEAN, SIDE, SKIP


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        (Numbers(SIDE, 3), "3,32,48", (3, 32, 48)),
        (Numbers(MEAN), "0.5", (0.5,)),
        (Numbers(MEAN), "0.4914, .4822,1e-1", (0.4914, 0.4822, 0.1)),
    ],
)
def test_lists_are_read(kind: Numbers, text: str, expected: tuple[float, ...]) -> None:
    assert kind.convert(text, None, None) == expected


@pytest.mark.parametrize("text", ["", "3,32", "3,32,32,1", "3,32,x", "3,,32", "1.5,2,3", "٣,32,32"])
def test_other_lists_are_refused(text: str) -> None:
    with pytest.raises(click.BadParameter, match="is no list of 3 numbers"):
        Numbers(SIDE, 3).convert(text, None, None)


def test_a_list_has_an_end() -> None:
    with pytest.raises(click.BadParameter, match="number of numbers 1001 is out of range"):
        Numbers(MEAN).convert(",".join(["0"] * 1001), None, None)


def test_a_number_of_a_list_has_a_range() -> None:
    with pytest.raises(click.BadParameter, match="input-shape 0 is out of range"):
        Numbers(SIDE, 3).convert("3,0,32", None, None)


def test_a_number_is_whole_where_its_range_is() -> None:
    assert Number(SKIP).convert("+5", None, None) == 5
    assert Number(ALPHA).convert("1e-3", None, None) == 0.001


@pytest.mark.parametrize("text", ["      12\n", "12 ", "\t12\r\n"])
def test_blanks_around_a_number_are_no_part_of_it(text: str) -> None:
    """As the counts of `wc -l` are printed on some systems."""
    assert Number(SKIP).convert(text, None, None) == 12
    with pytest.raises(click.BadParameter, match="skip '1e3' is no whole number"):
        Number(SKIP).convert("1e3", None, None)
