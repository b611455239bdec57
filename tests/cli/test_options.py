import click
import pytest

from smoothcert.cli.options import Numbers


@pytest.mark.parametrize(
    ("kind", "count", "text", "expected"),
    [
        (Numbers(int, 3), "3", "3,32,48", (3, 32, 48)),
        (Numbers(float), "any", "0.5", (0.5,)),
        (Numbers(float), "any", "0.4914, .4822,1e-1", (0.4914, 0.4822, 0.1)),
    ],
)
def test_lists_are_read(kind: Numbers, count: str, text: str, expected: tuple[float, ...]) -> None:
    assert kind.convert(text, None, None) == expected


@pytest.mark.parametrize("text", ["", "3,32", "3,32,32,1", "3,32,x", "3,,32", "1.5,2,3"])
def test_other_lists_are_refused(text: str) -> None:
    with pytest.raises(click.BadParameter, match="is no list of 3 numbers"):
        Numbers(int, 3).convert(text, None, None)
