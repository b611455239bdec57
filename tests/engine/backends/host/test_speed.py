"""The choice of a batch size, from scripted speeds; and what is remembered of it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from smoothcert.engine.backends.host import speed
from smoothcert.engine.backends.host.speed import Speed, measure_speed, remembered_speed


class Scripted:
    """Speeds per size: the first measurement, and the second."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, rows: Mapping[int, tuple[float, ...]]
    ) -> None:
        self.measured: list[int] = []
        left = {size: list(values) for size, values in rows.items()}

        def seconds_per_row(network: Any, batch: int) -> float:
            assert network == f"network of {batch}"
            self.measured.append(batch)
            return left[batch].pop(0) / 1e6

        monkeypatch.setattr(speed, "_seconds_per_row", seconds_per_row)

    def choose(self, num_pixels: int = 784) -> Speed:
        return measure_speed(self.build, num_pixels)

    @staticmethod
    def build(batch: int) -> Any:
        return f"network of {batch}"


def test_the_smallest_of_equally_fast_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = (20.0,)
    rows = {8: slow, 16: (10.1, 10.1), 32: (10.0, 10.0), 64: slow, 128: slow}
    script = Scripted(monkeypatch, rows)
    assert script.choose() == Speed(16, 10.1e-6)
    assert script.measured == [8, 16, 32, 64, 128, 32, 16]


def test_a_gain_beyond_two_per_cent_is_worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = {8: (10.3, 10.3), 16: (10.0, 10.0), 32: (10.9, 10.9), 64: (10.9, 10.9)}
    assert Scripted(monkeypatch, rows).choose().batch == 16


def test_a_size_that_was_disturbed_once_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """64 is the fastest, and looked slow when other work ran."""
    rows = {8: (14.0,), 16: (10.0, 10.0), 32: (9.9, 9.9), 64: (11.0, 8.0), 128: (13.5,)}
    script = Scripted(monkeypatch, {**rows, 256: (13.6,)})
    assert script.choose() == Speed(64, 8e-6)


def test_inputs_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = {size: (100.0 / size, 100.0 / size) for size in (8, 16, 32, 64)}
    script = Scripted(monkeypatch, rows)
    assert script.choose(num_pixels=2**20) == Speed(64, 100 / 64 / 1e6)
    assert script.measured == [8, 16, 32, 64, 64]


@pytest.mark.parametrize(("num_pixels", "batch"), [(2**24, 4), (2**28, 1)])
def test_inputs_of_which_eight_are_too_large(
    monkeypatch: pytest.MonkeyPatch, num_pixels: int, batch: int
) -> None:
    script = Scripted(monkeypatch, {batch: (5.0, 5.0)})
    assert script.choose(num_pixels).batch == batch


def test_a_fixed_batch_is_the_only_one_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    script = Scripted(monkeypatch, {24: (5.0,)})
    assert measure_speed(script.build, 784, 24) == Speed(24, 5e-6)


def test_it_is_measured_once_and_a_damaged_memory_is_replaced(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SMOOTHCERT_CACHE", str(tmp_path))
    monkeypatch.setattr(speed, "measure_speed", lambda *unused: Speed(32, 1e-6))
    identity: dict[str, object] = {"model": "m", "threads": 2}
    assert remembered_speed(identity, Scripted.build, 784) == Speed(32, 1e-6)
    monkeypatch.setattr(speed, "measure_speed", lambda *unused: Speed(64, 2e-6))
    assert remembered_speed(identity, Scripted.build, 784).batch == 32
    assert remembered_speed({**identity, "threads": 1}, Scripted.build, 784).batch == 64
    for path in tmp_path.rglob("*.json"):
        path.write_text("{")
    assert remembered_speed(identity, Scripted.build, 784).batch == 64
