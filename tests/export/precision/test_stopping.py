"""The sequential test answers what all rows would, but for a part of the orders that is known."""

from itertools import combinations
from math import comb

import numpy as np
import numpy.typing as npt
import pytest

from smoothcert.export.precision.stopping import ERROR, RowTest


def answer_of(test: RowTest, differs: npt.NDArray[np.bool_]) -> tuple[bool, int]:
    """The answer for rows in one order, and after how many."""
    counts = np.cumsum(differs)
    for look, rows in enumerate(test.looks):
        found = test.answer(look, int(counts[rows - 1]))
        if found is not None:
            return found, int(rows)
    raise AssertionError


@pytest.mark.parametrize(("tolerated", "error"), [(0.25, 0.3), (0.5, 0.2), (0.1, 0.4), (0.0, 0.3)])
def test_every_order_of_few_rows(tolerated: float, error: float) -> None:
    """All orders of all numbers of differing rows: wrong answers are as rare as promised, and
    never come from all rows."""
    rows, early = 12, 0
    test = RowTest.of(rows, tolerated, 2, error)
    assert test.most == int(tolerated * rows)
    for differing in range(rows + 1):
        wrong = 0
        for chosen in combinations(range(rows), differing):
            differs = np.zeros(rows, bool)
            differs[list(chosen)] = True
            answer, after = answer_of(test, differs)
            early += after < rows
            if answer != (differing <= test.most):
                assert after < rows
                wrong += 1
        assert wrong <= error * comb(rows, differing)
    assert early


@pytest.mark.parametrize(
    ("rows", "tolerated", "batch"), [(512, 0.05, 8), (192, 0.05, 8), (160, 0.008, 8), (50, 0.9, 8)]
)
def test_the_error_of_many_rows_by_counting_paths(rows: int, tolerated: float, batch: int) -> None:
    """Every number of differing rows, by exact integers: orders that end with the wrong answer."""
    test = RowTest.of(rows, tolerated, batch)
    for differing in (test.most, test.most + 1, max(0, test.most - 3), test.most + 4):
        if differing <= rows:
            assert wrong_part(test, differing) <= ERROR
    assert (test.passes[:-1] < test.fails[:-1]).all()


def wrong_part(test: RowTest, differing: int) -> float:
    rows, wrong = int(test.looks[-1]), 0
    ways, seen = {0: 1}, 0  # to place so many differing ones among the rows seen, without an answer
    for look, until in enumerate(test.looks.tolist()):
        more = until - seen
        after: dict[int, int] = {}
        for count, number in ways.items():
            for extra in range(min(more, differing - count) + 1):
                after[count + extra] = after.get(count + extra, 0) + number * comb(more, extra)
        seen, ways = until, {}
        for count, number in after.items():
            found = test.answer(look, count)
            if found is None:
                ways[count] = number
            elif found != (differing <= test.most):
                wrong += number * comb(rows - until, differing - count)
    assert not ways
    return wrong / comb(rows, differing)


def test_clear_cases_end_early() -> None:
    """Of 512 rows: none that differs, and every second one."""
    test = RowTest.of(512, 0.05, 8)
    assert answer_of(test, np.zeros(512, bool)) == (True, 112)
    assert answer_of(test, np.arange(512) % 2 == 0) == (False, 16)


def test_few_rows_and_last_batches() -> None:
    assert RowTest.of(1, 0.05, 8).looks.tolist() == [1]
    assert RowTest.of(12, 0.05, 8).looks.tolist() == [8, 12]
    one = RowTest.of(1, 0.05, 8)
    assert (one.answer(0, 0), one.answer(0, 1)) == (True, False)
