"""Ranges of numbers: what is in them, what is not, and their table in docs/limits.md.

`python tests/engine/base/test_ranges.py` writes the table anew.
"""

import math
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from smoothcert.engine.base import ranges
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.ranges import ALPHA, MAX_IMAGES, SECTIONS, SEED, SIGMA, SKIP, Range

PAGE = Path(__file__).parents[3] / "docs" / "limits.md"
_BEGIN, _END = "<!-- ranges -->\n", "<!-- end of ranges -->\n"
ALL = [found for section in SECTIONS.values() for found in section]


def table() -> str:
    """The ranges as docs/limits.md has them."""
    lines: list[str] = []
    for heading, section in SECTIONS.items():
        lines += [
            f"### {heading}",
            "",
            "| number | range | what it is | why |",
            "|---|---|---|---|",
        ]
        for found in section:
            cells = (found.name, found.expected(), found.what, found.why)
            lines.append(f"| {' | '.join(cells)} |")
        lines.append("")
    return "\n".join(lines)


def _page(content: str) -> str:
    head, _, rest = content.partition(_BEGIN)
    return head + _BEGIN + "\n" + table() + "\n" + _END + rest.partition(_END)[2]


def test_the_page_has_the_table() -> None:
    content = PAGE.read_text(encoding="utf-8")
    assert content == _page(content)


def test_the_table_has_every_range() -> None:
    named = [value for value in vars(ranges).values() if isinstance(value, Range)]
    assert len(named) > 50
    assert {id(found) for found in named} == {id(found) for found in ALL}


@pytest.mark.parametrize("found", ALL, ids=lambda found: f"{found.name}: {found.what}")
def test_both_ends_are_in_it_and_no_more(found: Range) -> None:
    step = 1 if found.whole else 0.0
    for end, outside, out in ((found.low, found.above, -1), (found.high, found.below, 1)):
        beyond = end + out * step if step else math.nextafter(end, out * math.inf)
        assert found.holds(end) is not outside
        assert not found.holds(beyond) or beyond == found.other
        inner = end - out * step if step else math.nextafter(end, -out * math.inf)
        assert found.holds(inner)
    assert found.holds(found.low + 1 if found.whole else (found.low + found.high) / 2)


@pytest.mark.parametrize(
    "value",
    [None, True, "0.5", b"1", [1], math.nan, math.inf, -math.inf, 1j, {}, 10**5000],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("found", [SIGMA, ALPHA, SKIP, SEED], ids=lambda found: found.name)
def test_what_is_no_number_of_it_is_refused(found: Range, value: Any) -> None:
    with pytest.raises(InputError) as refused:
        found.check(value)
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 300


def test_numbers_of_others_are_numbers() -> None:
    assert SIGMA.check(np.float32(0.25)) == 0.25
    assert SIGMA.check(Decimal("0.5")) == 0.5
    assert SIGMA.check(1) == 1.0
    assert SKIP.check(np.int64(3)) == 3
    with pytest.raises(InputError, match="no whole number"):
        SKIP.check(3.0)


@pytest.mark.parametrize(
    ("text", "expected"), [("5", 5), ("+5", 5), ("005", 5), ("-1", -1), (str(2**32), 2**32)]
)
def test_whole_numbers_are_read(text: str, expected: int) -> None:
    assert MAX_IMAGES.read(text) == expected


@pytest.mark.parametrize("text", ["", " 5", "5.0", "1e3", "1_000", "٣", "0x10", "9" * 5000, "0"])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(InputError) as refused:
        MAX_IMAGES.read(text)
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize(
    "text", ["1e400", "nan", "inf", "0,5", "1_0", "1e-320", "-0", "٠.٥", "0x1p-3"]
)
def test_levels_of_noise_that_are_none(text: str) -> None:
    with pytest.raises(InputError):
        SIGMA.read(text)


if __name__ == "__main__":
    PAGE.write_text(_page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
