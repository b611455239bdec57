"""Interleaving, warm-up, medians, and when it is enough."""

import itertools
import math
from collections.abc import Callable, Iterator, Mapping

import pytest

from smoothcert.engine.bench import rounds
from smoothcert.engine.bench.rounds import LEAST_ROUNDS, NARROW, Loop, Rate, measure_rates, ratios


class Clock:
    """Moves when loops and pauses move it, and never otherwise."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def pass_time(self, seconds: float) -> None:
        self.now += seconds


class Scripted:
    """A loop that notes what is asked of it and takes scripted times."""

    def __init__(
        self, name: str, seconds: Iterator[float], log: list[str], clock: Clock | None = None
    ) -> None:
        self.name, self._seconds, self._log = name, seconds, log
        self._pass_time: Callable[[float], None] = (clock or Clock()).pass_time

    def warm(self, seconds: float) -> None:
        self._log.append(f"{self.name} warm")
        self._pass_time(seconds)

    def run(self, seconds: float) -> tuple[int, float]:
        self._log.append(f"{self.name} run")
        taken = next(self._seconds)
        self._pass_time(taken)
        return 12, taken


def timed(
    times: Mapping[str, Iterator[float]], most: int, seconds: float, budget: float = math.inf
) -> tuple[dict[str, Rate], list[str], float]:
    """The rates, the log and how long it took, by a clock of its own."""
    clock, log = Clock(), list[str]()
    loops: list[Loop] = [Scripted(name, each, log, clock) for name, each in times.items()]
    before = clock.now
    rates = measure_rates(loops, most, seconds, budget, clock=clock, sleep=clock.pass_time)
    return rates, log, clock.now - before


def test_every_round_warms_and_runs_every_loop_in_turning_order() -> None:
    times = {"a": iter([1.0, 3.0, 2.0]), "b": iter([4.0, 6.0, 12.0])}
    rates, log, _ = timed(times, 3, 10.0)
    forth, back = ["a warm", "a run", "b warm", "b run"], ["b warm", "b run", "a warm", "a run"]
    assert log == ["a warm", "b warm", *forth, *back, *forth]
    assert rates["a"].rounds == (12.0, 4.0, 6.0)
    assert (rates["a"].median, rates["a"].spread) == (6.0, (5.0, 9.0))
    assert rates["b"].median == 2.0
    assert ratios(rates["a"], rates["b"]) == Rate((4.0, 2.0, 6.0))


def test_a_slow_loop_sits_rounds_out_and_ratios_are_of_rounds_of_both() -> None:
    """The machine halves its speed after two rounds: the paired ratio is not misled."""
    times = {"fast": iter([1.0, 1.0, 2.0, 2.0, 2.0]), "slow": iter([60.0, 60.0])}
    rates, log, _ = timed(times, 5, 1.0)
    assert log.count("slow run") == 2
    assert len(rates["slow"].rounds) == 5
    assert rates["slow"].median == 0.2
    assert rates["fast"].median == 6.0
    assert ratios(rates["fast"], rates["slow"]).median == 60.0


def test_steady_loops_end_after_the_least_rounds() -> None:
    rates, _, _ = timed({"a": itertools.repeat(1.0), "b": itertools.repeat(2.0)}, 50, 1.0)
    assert [len(rate.rounds) for rate in rates.values()] == [LEAST_ROUNDS] * 2


@pytest.mark.parametrize("wide", ["first", "other", "ratio"])
def test_they_go_on_until_every_rate_and_every_ratio_is_narrow(wide: str) -> None:
    """Five figures whose quartiles are 5.2 % apart, then steady ones: the quartiles come together
    as soon as three fifths are steady. A ratio is wide where two rates part by 3 % each."""
    steady = itertools.repeat(12 / 100)

    def moving(part: float) -> Iterator[float]:
        low, high = 12 / (100 - 100 * part), 12 / (100 + 100 * part)
        return itertools.chain([low, low, 12 / 100, high, high], itertools.repeat(12 / 100))

    times = {
        "first": {"a": moving(0.026), "b": steady},
        "other": {"a": steady, "b": moving(0.026)},
        "ratio": {"a": moving(0.02), "b": moving(-0.02)},
    }[wide]
    rates, _, _ = timed(times, 50, 1.0)
    a, b = rates.values()
    assert LEAST_ROUNDS < len(a.rounds) < 2 * LEAST_ROUNDS + 1
    assert a.narrow
    assert b.narrow
    assert ratios(a, b).narrow
    before = [Rate(rate.rounds[:LEAST_ROUNDS]) for rate in (a, b)]
    alone = [each.narrow for each in before]
    assert alone == {"first": [False, True], "other": [True, False], "ratio": [True, True]}[wide]
    assert not ratios(*before).narrow


def test_narrow_is_by_the_quartiles_of_what_was_measured() -> None:
    edge = 100 * NARROW
    assert Rate((100.0, 100.0 + edge * 0.99, 100.0, 100.0 + edge * 0.99)).narrow
    assert not Rate((100.0, 100.0 + edge * 1.1, 100.0, 100.0 + edge * 1.1)).narrow
    assert Rate((100.0, math.nan, 300.0, 100.0, 100.0, 100.0, math.nan)).narrow


@pytest.mark.parametrize("budget", [9.0, 20.0, 47.5])
def test_the_time_is_kept_on_a_machine_that_never_settles(budget: float) -> None:
    """Every measurement takes as long; only rates move."""
    pause = rounds._SLEEP_SECONDS + rounds._WARM_SECONDS
    names = ("a", "b", "c")

    class Moving(Scripted):
        def run(self, seconds: float) -> tuple[int, float]:
            _, taken = super().run(seconds)
            return next(self.samples), taken

        samples: Iterator[int]

    clock, log = Clock(), list[str]()
    loops = [Moving(name, itertools.repeat(0.5), log, clock) for name in names]
    for loop in loops:
        loop.samples = itertools.cycle([10, 20])
    before = clock.now
    rates = measure_rates(loops, 1000, 0.5, budget, clock=clock, sleep=clock.pass_time)
    done = len(rates["a"].rounds)
    assert clock.now - before == pytest.approx(done * 3 * (pause + 0.5))
    assert clock.now - before <= budget < clock.now - before + 3 * (pause + 0.5)


def test_a_step_beyond_the_budget_is_measured_once_and_the_others_go_on() -> None:
    jitter = itertools.cycle([1.0, 1.5])
    times = {"ours": jitter, "original": itertools.repeat(30.0), "bare": itertools.repeat(1.0)}
    rates, log, took = timed(times, 15, 1.0, 50.0)
    assert log.count("original run") == 1
    assert len(rates["ours"].rounds) > 2
    assert took <= 50.0
    # The first round is measured whatever it takes.
    rates, log, _ = timed({"a": itertools.repeat(5.0), "b": itertools.repeat(50.0)}, 9, 1.0, 1.0)
    assert log.count("a run") == log.count("b run") == 1
    assert ratios(rates["a"], rates["b"]).median == 10.0


def test_nobody_goes_on_without_the_first() -> None:
    times = {"ours": itertools.repeat(20.0), "bare": itertools.repeat(0.1)}
    rates, _, took = timed(times, 15, 1.0, 50.0)
    assert len(rates["bare"].rounds) == 2
    assert took <= 50.0
