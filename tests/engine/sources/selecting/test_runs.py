"""Runs are a sorted set of integers: everything they do, a list of those does too."""

import itertools
import sys

import pytest

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.sources.selecting.runs import Runs

SETS = [
    [index for index, inside in enumerate(bits) if inside]
    for bits in itertools.product((False, True), repeat=7)
]


@pytest.mark.parametrize("kind", ["of", "slice", "blocks"])
def test_every_set_is_the_list_of_its_indices(kind: str) -> None:
    for indices in SETS:
        runs = Runs.of(reversed(indices))
        if kind == "slice":  # as --skip leaves them: ranges with gaps
            runs, indices = Runs([range(9)])[1::2], [1, 3, 5, 7]
        if kind == "blocks":  # as a file may list them: ranges that touch
            runs = Runs(range(index, index + 1) for index in indices)
        assert list(runs) == indices
        assert len(runs) == len(indices)
        assert [index in runs for index in range(-1, 9)] == [i in indices for i in range(-1, 9)]
        assert [runs[place] for place in range(len(indices))] == indices
        assert (not indices) or runs[-1] == indices[-1]
        assert runs == Runs.of(indices)
        assert hash(runs) == hash(Runs.of(indices))
        if indices:
            assert Runs.parse(runs.text()) == runs
            assert list(Runs.parse(runs.text())) == indices


def test_slices_are_the_lists_slices() -> None:
    bounds = (None, 0, 1, 3, 6, 99, -1)
    for indices in SETS[::5]:
        runs = Runs.of(indices)
        for start, stop, step in itertools.product(bounds, bounds, (1, 2, 3, 8)):
            found = runs[start:stop:step]
            assert list(found) == indices[start:stop:step]
            assert list(found[1::2]) == indices[start:stop:step][1::2]


def test_what_is_no_integer_is_not_inside() -> None:
    other: object = "1"
    assert other not in Runs.of([1])
    with pytest.raises(IndexError):
        Runs.of([1])[1]


def test_the_text_is_short() -> None:
    assert Runs.of([0, 1, 2, 3, 7, 9, 10]).text() == "0-3,7,9-10"
    assert Runs([range(0, 9, 4), range(9, 10)]).text() == "0,4,8-9"
    assert repr(Runs.of([5])) == "Runs('5')"


def test_a_long_run_costs_nothing() -> None:
    runs = Runs.parse("0-9999999999")
    assert len(runs) == 10**10
    assert list(runs[3 :: 4 * 10**9]) == [3, 4 * 10**9 + 3, 8 * 10**9 + 3]
    assert sys.getsizeof(runs.text()) < 100


@pytest.mark.parametrize(
    "text", ["", "0-", "-1", "3,3", "3,1", "1-0", "0-3,3", "0, 1", "1.5", "x", "12345678901",
             "0,1,", "٣"],
)  # fmt: skip
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="is no run of indices above those before it"):
        Runs.parse(text)
