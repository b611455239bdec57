import os

import pytest

from smoothcert.engine.base.wording import printable
from smoothcert.engine.sources.given_files import some_of


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("x.png", "x.png"),
        ("größe 1.png", "größe 1.png"),
        (os.fsdecode(b"\xff.png"), "\\udcff.png"),
        ("a\nb\x1b[31m", "a\\nb\\x1b[31m"),
    ],
)
def test_names_are_one_line_of_text(name: str, expected: str) -> None:
    assert printable(name) == expected
    printable(name).encode()


def test_of_many_names_some_are_told() -> None:
    assert some_of(["a", "b"]) == "a, b"
    assert some_of(list("abcd"), 2) == "a, b and 2 more"


def test_names_without_end_are_cut() -> None:
    assert len(some_of(["a" * 10**6, "b"])) < 3000
