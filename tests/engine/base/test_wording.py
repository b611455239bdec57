"""What a terminal may show of words of anyone's making."""

import os
import sys
from typing import Any

import pytest

from smoothcert.engine.base.wording import LONGEST_NAME, is_name, printable, printable_line, shown

HOSTILE = "a\x1b]0;x\x07b\u202egnp.\u2028\r\n\t\x9b\ud800" + os.fsdecode(b"\xff")


def test_what_a_terminal_obeys_is_escaped() -> None:
    for text in (printable(HOSTILE), printable_line(HOSTILE), shown(HOSTILE, 1000)):
        assert text.isprintable()
        text.encode()
        assert "\\x1b" in text
        assert "\\u202e" in text
        assert "\\udcff" in text


def test_what_can_be_read_stays() -> None:
    assert printable("größe 1 ✓.png") == "größe 1 ✓.png"
    assert printable("a\nb") == "a\\nb"


def test_a_sentence_of_several_lines_becomes_one() -> None:
    assert printable_line("Choose from:\n\ta,\n\tb\n") == "Choose from: a, b"


def _deep() -> list[Any]:
    nested: list[Any] = []
    for _ in range(10 * sys.getrecursionlimit()):
        nested = [nested]
    return nested


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("x", "'x'"),
        (10**5000, f"a number of {(10**5000).bit_length()} bits"),
        ([10**5000], "a large value"),
        (_deep(), "a deeply nested value"),
        ("ü" * 100, "'" + "\\xfc" * 9 + "\\xf..."),
    ],
    ids=["text", "large", "large in a list", "deep", "long"],
)
def test_a_value_is_short(value: Any, expected: str) -> None:
    assert shown(value) == expected


def test_a_name_is_a_printable_text_of_a_length_that_a_line_has() -> None:
    assert all(map(is_name, ("", "layer1.0.conv", "é" * LONGEST_NAME)))
    assert not any(map(is_name, (None, 7, b"a", "a\nb", "\x1b[31m", "a" * (LONGEST_NAME + 1))))
