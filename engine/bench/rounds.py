"""Interleaved rounds: every loop is measured in every round, so that drift touches all alike."""

import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from smoothcert.engine.base.doing import each_of

LEAST_ROUNDS, NARROW = 5, 0.05
"""Rounds end early after so many, where the quartiles of every figure are so close together, as a
part of its median."""

_SLEEP_SECONDS = 0.3
_WARM_SECONDS = 0.15
_ROUNDS_OF_ALL, _SHARES = 2, 3


class Loop(Protocol):
    """Something whose samples per second are measured."""

    name: str

    def warm(self, seconds: float) -> None:
        """Work for at least so long without being measured."""
        ...

    def run(self, seconds: float) -> tuple[int, float]:
        """Work for at least so long: the samples done, and the seconds they took."""
        ...


@dataclass(frozen=True)
class Rate:
    """Samples per second, one figure per round; nan for a round in which it was not measured."""

    rounds: tuple[float, ...]

    @property
    def _measured(self) -> list[float]:
        return [figure for figure in self.rounds if not math.isnan(figure)]

    @property
    def median(self) -> float:
        """The figure to quote."""
        return statistics.median(self._measured)

    @property
    def spread(self) -> tuple[float, float]:
        """The middle half of the rounds: their lower and upper quartile."""
        low, high = np.quantile(self._measured, (0.25, 0.75))
        return float(low), float(high)

    @property
    def narrow(self) -> bool:
        """Whether the quartiles are within NARROW of the median of each other."""
        low, high = self.spread
        return high - low <= NARROW * self.median


class _Rounds:
    """The rounds so far, by the place of each loop: rates, seconds at work, and whole seconds of
    the last measurement with its pause and its warming up."""

    def __init__(self, loops: Sequence[Loop], share: float, deadline: float) -> None:
        self._loops, self._share, self._deadline = loops, share, deadline
        self._rates: list[list[float]] = [[] for _ in loops]
        self._spent = [0.0] * len(loops)
        self._last = [0.0] * len(loops)

    def next(self, now: float) -> list[int]:
        """Who takes part in a round that starts now; nobody where the time is up."""
        everyone = list(range(len(self._loops)))
        if not self._rates[0]:
            return everyone
        quick = [each for each in everyone if self._spent[each] <= self._share]
        if len(self._rates[0]) < _ROUNDS_OF_ALL and self._fits(everyone, now):
            return everyone
        return quick if 0 in quick and self._fits(quick, now) else []

    def _fits(self, part: list[int], now: float) -> bool:
        return now + sum(self._last[each] for each in part) <= self._deadline

    def note(
        self, rates: dict[int, float], spent: dict[int, float], took: dict[int, float]
    ) -> None:
        """What a round gave of those that took part."""
        for each, found in enumerate(self._rates):
            found.append(rates.get(each, math.nan))
            self._spent[each] += spent.get(each, 0.0)
            self._last[each] = took.get(each, self._last[each])

    def rates(self) -> dict[str, Rate]:
        """By the loops' names."""
        pairs = zip(self._loops, self._rates, strict=True)
        return {loop.name: Rate(tuple(rates)) for loop, rates in pairs}

    def narrow(self) -> bool:
        """Whether more rounds are not needed."""
        first, *others = self.rates().values()
        return first.narrow and all(each.narrow and ratios(first, each).narrow for each in others)


def measure_rates(
    loops: Sequence[Loop],
    rounds: int,
    seconds: float,
    budget: float = math.inf,
    *,
    clock: Callable[[], float] = time.perf_counter,
    sleep: Callable[[float], None] = time.sleep,
) -> dict[str, Rate]:
    """The rate of every loop by name, from at most `rounds` rounds of about `seconds` each.

    The order turns round by round, so that no loop gains by its place while the machine's speed
    drifts. Threads of the loop before may spin for a while after their work, and cores slow down
    when they sleep: so each measurement waits first, and then works unmeasured before the clock
    starts.

    Rounds end early when, after LEAST_ROUNDS, every rate and every ratio of the first loop to
    another is narrow. Beside the first, no round starts that, by each loop's last time, would end
    more than `budget` seconds after this call began. A loop whose steps are long sits rounds out
    once it has had three times its share, or a sixth of the budget: after two, or after one where
    there is no time for it. Nobody goes on without the first loop.
    """
    deadline = clock() + budget
    for loop in each_of(loops, "warming up", len(loops)):
        loop.warm(0.0)  # what is allocated and compiled at the first step
    had = _Rounds(loops, min(_SHARES * rounds * seconds, budget / 6), deadline)
    for number in each_of(range(rounds), "measuring in rounds, at most", rounds):
        part = had.next(clock())
        if not part:
            break
        rates, spent, took = {}, {}, {}
        for each in part if number % 2 == 0 else reversed(part):
            start = clock()
            sleep(_SLEEP_SECONDS)
            loops[each].warm(_WARM_SECONDS)
            samples, spent[each] = loops[each].run(seconds)
            rates[each], took[each] = samples / spent[each], clock() - start
        had.note(rates, spent, took)
        if number + 1 >= LEAST_ROUNDS and had.narrow():
            break
    return had.rates()


def ratios(one: Rate, other: Rate) -> Rate:
    """one / other, round by round: what holds where a machine's speed drifts."""
    return Rate(tuple(a / b for a, b in zip(one.rounds, other.rounds, strict=True)))
