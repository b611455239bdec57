"""Interleaved rounds: every loop is measured in every round, so that drift touches all alike."""

import math
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

_SLEEP_SECONDS = 0.5
_WARM_SECONDS = 0.2
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


def measure_rates(loops: Sequence[Loop], rounds: int, seconds: float) -> dict[str, Rate]:
    """The rate of every loop by name, from `rounds` rounds of about `seconds` each.

    The order turns round by round, so that no loop gains by its place while the machine's speed
    drifts. Threads of the loop before may spin for a while after their work, and cores slow down
    when they sleep: so each measurement waits first, and then works unmeasured before the clock
    starts. A loop whose steps are long sits rounds out once it has had three times its share,
    after two.
    """
    found: dict[str, list[float]] = {loop.name: [] for loop in loops}
    spent = dict.fromkeys(found, 0.0)
    for loop in loops:
        loop.warm(0.0)  # what is allocated and compiled at the first step
    for number in range(rounds):
        for loop in loops if number % 2 == 0 else reversed(loops):
            if number >= _ROUNDS_OF_ALL and spent[loop.name] > _SHARES * rounds * seconds:
                found[loop.name].append(math.nan)
                continue
            time.sleep(_SLEEP_SECONDS)
            loop.warm(_WARM_SECONDS)
            samples, elapsed = loop.run(seconds)
            found[loop.name].append(samples / elapsed)
            spent[loop.name] += elapsed
    return {name: Rate(tuple(rates)) for name, rates in found.items()}


def ratios(one: Rate, other: Rate) -> Rate:
    """one / other, round by round: what holds where a machine's speed drifts."""
    return Rate(tuple(a / b for a, b in zip(one.rounds, other.rounds, strict=True)))
