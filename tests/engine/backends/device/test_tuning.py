"""The fastest of several candidates, by their own clocks."""

import time

import pytest

from smoothcert.engine.backends.device import tuning as tuning_file
from smoothcert.engine.backends.device.tuning import Tuning
from smoothcert.engine.base.errors import DeviceMemoryError, InputError


def fail(error: BaseException) -> None:
    raise error


def sleeping(tuning: Tuning, name: str, seconds: float) -> None:
    """A candidate whose launch takes so long."""
    with tuning.trying(name):
        tuning.measure(name, name.upper(), lambda: time.sleep(seconds), lambda: None)


def test_the_fastest_is_taken_and_all_are_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuning_file, "_BLOCK_SECONDS", 0.001)
    tuning = Tuning(batch=8)
    sleeping(tuning, "slow", 0.05)
    sleeping(tuning, "fast", 0.0)
    sleeping(tuning, "slower", 0.1)
    with tuning.trying("broken"):
        fail(RuntimeError("no kernel\nof this kind"))
    assert tuning.best() == "FAST"
    described = tuning.describe()
    assert described["tuned"] is True
    assert described["took"] == "fast"
    assert list(described["rows_per_second"]) == ["slow", "fast", "slower"]
    assert described["failed"] == {"broken": "no kernel of this kind"}


def test_none_that_works_is_one_line() -> None:
    tuning = Tuning(8)
    with tuning.trying("a"):
        fail(ValueError("too small"))
    with pytest.raises(InputError, match=r"no way to run this network works .a: too small."):
        tuning.best()


def test_out_of_memory_stays_what_it_is() -> None:
    """So that a smaller batch is tried."""
    tuning = Tuning(8)
    with tuning.trying("a"):
        fail(DeviceMemoryError("no room"))
    with pytest.raises(DeviceMemoryError, match="no room"):
        tuning.best()


def test_an_interruption_is_no_failure_of_a_candidate() -> None:
    with pytest.raises(KeyboardInterrupt), Tuning(8).trying("a"):
        fail(KeyboardInterrupt())
