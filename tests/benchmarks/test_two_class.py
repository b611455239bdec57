"""Votes read under either bound, against the bounds themselves."""

import numpy as np
import pytest
from two_class import Votes, report

from smoothcert.engine.statistics.class_bounds import OneSided, TwoClass

COUNTS = [(900, 50, True), (450, 100, True), (600, 390, False), (300, 299, True)]


def test_the_averages_are_those_of_the_bounds() -> None:
    count, runner_up, correct = (np.array(each) for each in zip(*COUNTS, strict=True))
    votes = Votes(count, runner_up, correct, 1000, 0.01, 0.5)
    one, two = OneSided(0.01), TwoClass(0.01)
    radii = [one.radius(k, 1000, None, 0.5) * right for k, _, right in COUNTS]
    assert votes.one_sided() == pytest.approx((sum(radii) / 4, 2 / 4, 1 / 4))
    radii = [two.radius(k, 1000, m, 0.5) * right for k, m, right in COUNTS]
    assert votes.two_class(0.1) == pytest.approx((sum(radii) / 4, 3 / 4, 2 / 4))
    assert "| x | " in report({"x": votes})
    assert "0.500 -> 0.750 | 0.250 -> 0.500" in report({"x": votes})
