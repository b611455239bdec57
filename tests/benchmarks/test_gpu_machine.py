"""How the GPU suite times: works and loops take turns."""

from typing import Any

import numpy as np
import pytest
from gpu_machine import Machine, in_turns, interleaved, ratio
from host_device import HostDevice


@pytest.fixture
def machine() -> Machine:
    return Machine(HostDevice("eager"), "cpu", block_seconds=0.0, blocks=3)


def test_works_take_turns(machine: Machine) -> None:
    order: list[str] = []
    works = {"a": lambda: order.append("a"), "b": lambda: order.append("b")}
    seconds = interleaved(machine, works)
    assert order[4:] == ["a", "b"] * 3
    assert [len(values) for values in seconds.values()] == [3, 3]
    assert np.all(np.array(list(seconds.values())) >= 0)


def test_loops_take_turns_and_the_order_turns(machine: Machine) -> None:
    order: list[str] = []

    class Counted:
        def __init__(self, name: str, seconds: float) -> None:
            self.name, self.seconds = name, seconds

        def warm(self, seconds: float) -> None:
            order.append(self.name.lower())

        def run(self, seconds: float) -> tuple[int, float]:
            order.append(self.name)
            return 10, self.seconds

    loops: Any = {name: Counted(name, float(i + 1)) for i, name in enumerate("AB")}
    rates = in_turns(machine, loops)
    assert "".join(order) == "ab" + "aAbB" + "bBaA" + "aAbB"
    assert rates == {"A": [10.0] * 3, "B": [5.0] * 3}
    assert ratio(rates["A"], rates["B"]) == {"median": 2.0, "min": 2.0, "max": 2.0}
