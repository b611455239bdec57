"""What is kept of tables, and the check of it: another method than the one that made them."""

from pathlib import Path

import numpy as np
import pytest

from smoothcert.engine.statistics.bounds import LEAST_ALPHA
from smoothcert.engine.statistics.sequential import (
    Spending,
    crossing_probability,
    group_boundary,
    looks_until,
)
from smoothcert.engine.statistics.table_cache import crossing, keep, kept

STRICT = Spending(0.0, 0.25, 0.75)


@pytest.mark.parametrize("n", [512, 100_000])
@pytest.mark.parametrize("alpha", [0.5, 0.001, LEAST_ALPHA])
@pytest.mark.parametrize("q", [0.6, 0.5, 0.1, 1e-3])
def test_crossing_is_what_the_recursion_spends(n: int, alpha: float, q: float) -> None:
    looks = looks_until(n)
    needed, _ = group_boundary(q, looks, STRICT.cumulative(len(looks)) * alpha)
    assert needed[-1] <= n or n == 512
    assert crossing(q, looks, needed) == pytest.approx(
        crossing_probability(q, looks, needed), rel=1e-7, abs=1e-15
    )
    if needed[-1] <= n:
        needed[-1] -= 1  # the boundary spends what it may: one vote less is seen
        assert crossing(q, looks, needed) > alpha * (1 + 1e-6)


def test_everything_and_nothing() -> None:
    looks = (10, 20)
    assert crossing(0.3, looks, np.array([0, 0])) == pytest.approx(1.0)
    assert crossing(0.3, looks, np.array([11, 21])) == 0.0
    assert crossing(0.3, looks, np.array([10, 21])) == pytest.approx(0.7**10)
    assert crossing(0.3, (1, 2), np.array([2, 1])) == pytest.approx(1 - 0.3**2)
    assert crossing(0.3, (1, 2), np.array([1, 1])) == pytest.approx(1 - 0.3**2)


def test_an_entry_is_of_its_settings_code_and_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMOOTHCERT_CACHE", str(tmp_path))
    needed = np.array([[5, 6, 7], [9, 9, 12]])
    keep("key", "code", needed)
    np.testing.assert_array_equal(kept("key", "code", (2, 3)), needed)
    assert kept("key", "other", (2, 3)) is None
    assert kept("other", "code", (2, 3)) is None
    assert kept("key", "code", (3, 2)) is None
    keep("key", "code", needed[::-1])
    np.testing.assert_array_equal(kept("key", "code", (2, 3)), needed[::-1])
    keep("key", "code", needed[:, ::-1])  # boundaries ascend with the radius
    assert kept("key", "code", (2, 3)) is None
