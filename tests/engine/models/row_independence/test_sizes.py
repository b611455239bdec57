"""Polynomials of the batch size."""

import numpy as np
import pytest

from smoothcert.engine.models.row_independence.sizes import OPEN, Size, product, shape_of, size
from smoothcert.engine.models.row_independence.verdict import Stop

N = OPEN


def at(value: Size, n: int) -> int:
    return sum(term * n**power for power, term in enumerate(value.terms))


def test_arithmetic_is_that_of_numbers_at_every_batch_size() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        one, two = (Size(*rng.integers(-4, 5, size=3).tolist()) for _ in range(2))
        for n in (1, 2, 7):
            assert at(one + two, n) == at(one, n) + at(two, n)
            assert at(one - two, n) == at(one, n) - at(two, n)
            assert at(one * two, n) == at(one, n) * at(two, n)
        if two.terms:
            assert (one * two).over(two) == one


def test_a_quotient_is_whole_or_none() -> None:
    assert (N * 6).over(3) == N * 2
    assert (N * N * 6).over(N * 2) == N * 3
    assert (N * 6).over(4) is None
    assert size(6).over(N) is None
    assert (N + 1).over(N) is None
    assert N.over(0) is None
    assert size(0).over(N) == 0


def test_a_sign_is_told_where_it_is_one() -> None:
    assert (N * 2 + 1).sign() == 1
    assert (-N).sign() == -1
    assert (N - N).sign() == 0
    assert (N - 3).sign() is None


def test_a_fixed_number_is_one() -> None:
    assert int(N - N + 3) == 3
    assert size(3) == 3 == Size(3)
    assert size(3) != N
    assert hash(Size(3)) == hash(size(3))
    assert product([2, N, 3]) == N * 6
    assert shape_of([1, N]) == (size(1), N)
    with pytest.raises(Stop, match="depends on the batch"):
        int(N)


def test_it_is_written_as_people_do() -> None:
    assert [str(s) for s in (size(0), size(1), N, N * 2 + 1, N * N * 3)] == [
        "0",
        "1",
        "N",
        "1+2N",
        "3N^2",
    ]
