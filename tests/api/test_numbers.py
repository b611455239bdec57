"""The numbers of a call from Python, each held against its range."""

import itertools
import math

import pytest

from smoothcert.engine.base.errors import InputError
from smoothcert.numbers import NUMBERS, numbers_of


@pytest.mark.parametrize("name", NUMBERS)
def test_n_every_number_holds_at_both_ends_and_no_further(name: str) -> None:
    found = NUMBERS[name]
    for end, outside, way in ((found.low, found.above, -1), (found.high, found.below, 1)):
        step: float = 1 if found.whole else abs(math.ulp(end))
        inner, beyond = (end - way * step, end) if outside else (end, end + way * step)
        assert numbers_of(**{name: inner}) == {name: inner}
        if beyond != found.other:
            with pytest.raises(InputError, match="is out of range"):
                numbers_of(**{name: beyond})


def test_n_numbers_without_end_are_counted_no_further_than_a_list_may_be() -> None:
    with pytest.raises(InputError, match="number of radii 1001 is out of range"):
        numbers_of(radii=itertools.repeat(0.5))
