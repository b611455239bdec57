"""Interleaved rounds: every loop is measured in every round, so that drift touches all alike."""

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

_SLEEP_SECONDS = 0.5
_WARM_SECONDS = 0.2


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
    """Samples per second, one figure per round."""

    rounds: tuple[float, ...]

    @property
    def median(self) -> float:
        """The figure to quote."""
        return statistics.median(self.rounds)

    @property
    def spread(self) -> tuple[float, float]:
        """The slowest and the fastest round."""
        return min(self.rounds), max(self.rounds)


def measure_rates(loops: Sequence[Loop], rounds: int, seconds: float) -> dict[str, Rate]:
    """The rate of every loop by name, from `rounds` rounds of about `seconds` each.

    Threads of the loop before may spin for a while after their work, and cores slow down when they
    sleep: so each measurement waits first, and then works unmeasured before the clock starts.
    """
    found: dict[str, list[float]] = {loop.name: [] for loop in loops}
    for loop in loops:
        loop.warm(0.0)  # what is allocated and compiled at the first step
    for _ in range(rounds):
        for loop in loops:
            time.sleep(_SLEEP_SECONDS)
            loop.warm(_WARM_SECONDS)
            samples, elapsed = loop.run(seconds)
            found[loop.name].append(samples / elapsed)
    return {name: Rate(tuple(rates)) for name, rates in found.items()}


def ratios(one: Rate, other: Rate) -> Rate:
    """one / other, round by round."""
    return Rate(tuple(a / b for a, b in zip(one.rounds, other.rounds, strict=True)))
