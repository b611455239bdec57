"""Interleaving, warm-up, medians."""

import pytest

from smoothcert.engine.benchmark import rounds
from smoothcert.engine.benchmark.rounds import Loop, Rate, measure_rates, ratios


class Scripted:
    """A loop that notes what is asked of it and claims scripted times."""

    def __init__(self, name: str, seconds: list[float], log: list[str]) -> None:
        self.name, self._seconds, self._log = name, iter(seconds), log

    def warm(self, seconds: float) -> None:
        self._log.append(f"{self.name} warm")

    def run(self, seconds: float) -> tuple[int, float]:
        self._log.append(f"{self.name} run")
        return 12, next(self._seconds)


def test_every_round_warms_and_runs_every_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "_SLEEP_SECONDS", 0.0)
    log: list[str] = []
    loops: list[Loop] = [
        Scripted("a", [1.0, 3.0, 2.0], log),
        Scripted("b", [4.0, 6.0, 12.0], log),
    ]
    rates = measure_rates(loops, 3, 1.0)
    assert log == ["a warm", "b warm", *["a warm", "a run", "b warm", "b run"] * 3]
    assert rates["a"].rounds == (12.0, 4.0, 6.0)
    assert (rates["a"].median, rates["a"].spread) == (6.0, (4.0, 12.0))
    assert rates["b"].median == 2.0
    assert ratios(rates["a"], rates["b"]) == Rate((4.0, 2.0, 6.0))
