"""Rows drawn again: one differing vote ends a run that was bitwise, chance judges the others."""

from typing import Any

import pytest
from scipy import stats

from smoothcert.engine.base.errors import RunStoppedError
from smoothcert.engine.log.rows import Certificate
from smoothcert.engine.run.repeats import CHANCE, ROUNDING_RATE, Repeats, is_bitwise
from smoothcert.engine.statistics.procedures import Decision


def backend(equality: str | None = "bitwise", reference: str | None = None) -> dict[str, Any]:
    described: dict[str, Any] = {"runtime": "onnxruntime 1"}
    if equality is not None:
        described["row_independence"] = {"verdict": "probed", "equality": equality}
    if reference is not None:
        described["reference"] = backend(reference)
    return described


def image(index: int, repeated: int, turned: int) -> Certificate:
    decision = Decision(0, 0.1, 90, 100, 10, 110)
    return Certificate(index, 0, decision, 0.0, "00" * 8, repeated=repeated, turned=turned)


def test_what_is_bitwise() -> None:
    assert is_bitwise(backend())
    assert is_bitwise(backend(reference="bitwise"))
    assert not is_bitwise(backend("rounding"))
    assert not is_bitwise(backend(reference="rounding"))
    assert not is_bitwise(backend(None))


def test_one_turned_vote_stops_a_bitwise_run_and_names_the_image() -> None:
    repeats = Repeats([backend()])
    for index in range(100):
        repeats.take(image(index, 4, 0))
    with pytest.raises(RunStoppedError, match="image 100: 1 of 4 rows drawn again"):
        repeats.take(image(100, 4, 1))
    assert repeats.describe() == {"rows": 404, "turned": 1}


def test_rounding_may_turn_a_few() -> None:
    """At the stated rate no run stops; at ten times that, soon."""
    repeats = Repeats([backend("rounding")])
    for index in range(1000):  # 20 of 4,000 turn: .5 %
        repeats.take(image(index, 4, int(index % 50 == 7)))
    assert repeats.describe() == {"rows": 4000, "turned": 20}
    repeats = Repeats([backend("rounding")])
    images = [image(index, 4, int(index % 5 == 0)) for index in range(1000)]
    with pytest.raises(RunStoppedError, match=r"at the 0\.5% that float rounding explains"):
        list(map(repeats.take, images))
    assert stats.binom.sf(repeats.turned - 1, repeats.rows, ROUNDING_RATE) < CHANCE
    # one turned vote fewer was not enough
    assert stats.binom.sf(repeats.turned - 2, repeats.rows - 20, ROUNDING_RATE) >= CHANCE
    assert repeats.rows < 200


def test_a_machine_that_joins_may_be_of_rounding() -> None:
    repeats = Repeats([backend()])
    repeats.also(backend("rounding"))
    repeats.take(image(1, 4, 1))
    assert repeats.turned == 1
