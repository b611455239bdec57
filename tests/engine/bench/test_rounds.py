"""Interleaving, warm-up, medians."""

import pytest

from smoothcert.engine.bench import rounds
from smoothcert.engine.bench.rounds import Loop, Rate, measure_rates, ratios


class Scripted:
    """A loop that notes what is asked of it and claims scripted times."""

    def __init__(self, name: str, seconds: list[float], log: list[str]) -> None:
        self.name, self._seconds, self._log = name, iter(seconds), log

    def warm(self, seconds: float) -> None:
        self._log.append(f"{self.name} warm")

    def run(self, seconds: float) -> tuple[int, float]:
        self._log.append(f"{self.name} run")
        return 12, next(self._seconds)


@pytest.fixture(autouse=True)
def no_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "_SLEEP_SECONDS", 0.0)


def test_every_round_warms_and_runs_every_loop_in_turning_order() -> None:
    log: list[str] = []
    loops: list[Loop] = [
        Scripted("a", [1.0, 3.0, 2.0], log),
        Scripted("b", [4.0, 6.0, 12.0], log),
    ]
    rates = measure_rates(loops, 3, 10.0)
    forth, back = ["a warm", "a run", "b warm", "b run"], ["b warm", "b run", "a warm", "a run"]
    assert log == ["a warm", "b warm", *forth, *back, *forth]
    assert rates["a"].rounds == (12.0, 4.0, 6.0)
    assert (rates["a"].median, rates["a"].spread) == (6.0, (5.0, 9.0))
    assert rates["b"].median == 2.0
    assert ratios(rates["a"], rates["b"]) == Rate((4.0, 2.0, 6.0))


def test_a_slow_loop_sits_rounds_out_and_ratios_are_of_rounds_of_both() -> None:
    """The machine halves its speed after two rounds: the paired ratio is not misled."""
    log: list[str] = []
    loops: list[Loop] = [
        Scripted("fast", [1.0, 1.0, 2.0, 2.0, 2.0], log),
        Scripted("slow", [60.0, 60.0], log),
    ]
    rates = measure_rates(loops, 5, 1.0)
    assert log.count("slow run") == 2
    assert len(rates["slow"].rounds) == 5
    assert rates["slow"].median == 0.2
    assert rates["fast"].median == 6.0
    assert ratios(rates["fast"], rates["slow"]).median == 60.0
