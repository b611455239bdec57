"""Budgets: what is said, and what is left of it."""

import pytest

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.run.budget.amount import Budget, Meter


@pytest.mark.parametrize(
    ("said", "budget"),
    [
        ("30m", Budget(seconds=1800.0)),
        (" 2h ", Budget(seconds=7200.0)),
        ("90s", Budget(seconds=90.0)),
        ("1.5d", Budget(seconds=129600.0)),
        ("5e7", Budget(samples=50_000_000)),
        ("1000", Budget(samples=1000)),
        (5e7, Budget(samples=50_000_000)),
        (1000, Budget(samples=1000)),
    ],
)
def test_time_or_samples(said: object, budget: Budget) -> None:
    assert Budget.of(said) == budget


@pytest.mark.parametrize(
    "said", ["", "m", "30 m", "30x", "1e9d", "0s", "-5", "0", "2.5", 2.5, "nan", "inf", "1e30",
             "3m 4s", "٣m", None, True, "1e999"]
)  # fmt: skip
def test_what_is_no_budget_is_refused_in_one_line(said: object) -> None:
    with pytest.raises(InputError, match="budget") as refused:
        Budget.of(said)
    assert "\n" not in str(refused.value)


def test_samples_are_begun_while_there_are_any() -> None:
    meter = Meter(Budget(samples=1000))
    assert meter.begin(600)
    assert not meter.begin(401)
    assert meter.begin(400)
    assert not meter.begin(1)
    meter.take_back(400)
    assert meter.begin(400)


def test_a_step_is_begun_where_the_time_is_enough_at_the_rate_so_far() -> None:
    now = [100.0]
    meter = Meter(Budget(seconds=60.0), lambda: now[0])
    assert meter.begin(10_000)  # of a rate that nobody knows
    now[0] = 110.0
    meter.end(10_000)  # 1,000 a second, and 50 seconds left
    assert meter.begin(30_000)
    assert not meter.begin(20_001)  # with what is under way
    assert meter.begin(20_000)
    now[0] = 150.0
    meter.end(30_000)  # 800 a second, and 10 seconds left, of which 20,000 samples take 25
    assert not meter.begin(1)
    now[0] = 160.0
    meter.end(20_000)
    assert not meter.begin(1)
