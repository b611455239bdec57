"""Every printed radius of the published logs comes from an integer count, at one alpha per file."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from smoothcert.analysis.inversion import counts_of_print, radius_table
from smoothcert.analysis.log import read_log
from smoothcert.engine.statistics.bounds import certified_radius


@pytest.mark.parametrize(
    ("n", "alpha", "sigma"), [(100_000, 0.01, 1.0), (100_000, 0.001, 0.12), (1000, 0.001, 0.25)]
)
def test_every_print_gives_back_exactly_its_counts(n: int, alpha: float, sigma: float) -> None:
    table = radius_table(n, alpha, sigma)
    prints = np.array([float(f"{radius:.3}") for radius in table])
    assert 0.1 in prints
    for printed in np.unique(prints):
        counts = np.flatnonzero(prints == printed)
        found = counts_of_print(float(printed), table)
        assert (found.first, found.last) == (counts[0], counts[-1])


def test_steps_are_finer_below_a_power_of_ten() -> None:
    # .9952 prints as .995 and .9996 as 1.0: the prints below 1 are ten times denser.
    table = np.array([0.9952, 0.9994, 0.9996, 1.0049, 1.0051])
    found = counts_of_print(1.0, table)
    assert (found.first, found.last) == (2, 3)


def test_the_number_of_digits() -> None:
    table = radius_table(1000, 0.001, 1.0)
    for digits in (2, 3, 6):
        printed = float(f"{table[900]:.{digits}}")
        found = counts_of_print(printed, table, digits)
        assert found.first <= 900 <= found.last
    assert len(counts_of_print(float(f"{table[900]:.6}"), table)) == 0


def test_the_table_is_the_certified_radius_before_rounding_down() -> None:
    n, alpha, sigma = 1000, 0.001, 0.5
    excess = radius_table(n, alpha, sigma) - certified_radius(np.arange(n + 1), n, alpha, sigma)
    assert excess.min() >= 0.0
    assert excess.max() < 1.1e-6


def test_a_radius_between_two_counts_has_none() -> None:
    table = radius_table(1000, 0.001, 1.0)
    assert table[1000] - table[999] > 0.05
    middle = float(f"{(table[1000] + table[999]) / 2:.3}")
    assert len(counts_of_print(middle, table)) == 0


@pytest.mark.parametrize(
    ("name", "sigma", "alpha"),
    [
        ("imagenet/sigma_0.25", 0.25, 0.01),
        ("imagenet/sigma_0.50", 0.50, 0.01),
        ("imagenet/sigma_1.00", 1.00, 0.01),
        ("cifar10/sigma_0.12", 0.12, 0.001),
        ("cifar10/sigma_0.25", 0.25, 0.01),
        ("cifar10/sigma_0.50", 0.50, 0.01),
        ("cifar10/sigma_1.00", 1.00, 0.01),
    ],
)
def test_every_published_radius_inverts_at_the_files_alpha(
    published_log: Callable[[str], Path], name: str, sigma: float, alpha: float
) -> None:
    log = read_log(published_log(name))
    radii = log.radius[log.predict >= 0]
    assert len(radii) > 300

    def matched(level: float) -> int:
        table = radius_table(100_000, level, sigma)
        return sum(len(counts_of_print(float(radius), table)) > 0 for radius in radii)

    assert matched(alpha) == len(radii)
    assert matched(0.001 if alpha == 0.01 else 0.01) < len(radii)
