"""Every printed radius of the published logs comes from an integer count, at one alpha per file."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from smoothcert.analysis.inversion import counts_of_print, radius_table
from smoothcert.analysis.log import read_log


@pytest.mark.parametrize("sigma", [0.25, 1.0])
def test_printing_and_inverting_is_the_identity(sigma: float) -> None:
    table = radius_table(1000, 0.001, sigma)
    for count in (580, 700, 900, 999, 1000):
        radius = float(f"{table[count]:.3}")
        found = counts_of_print(radius, table)
        assert found.first <= count <= found.last
        for k in (found.first, found.last):
            assert float(f"{table[k]:.3}") == pytest.approx(radius, abs=2e-6)


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
        return sum(len(counts_of_print(r, table)) > 0 for r in np.maximum(radii, 1e-9))

    assert matched(alpha) == len(radii)
    assert matched(0.001 if alpha == 0.01 else 0.01) < len(radii)
