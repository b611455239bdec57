"""Certified accuracy and its companions, by hand and by enumeration; the published tables."""

import itertools
import math
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from smoothcert.analysis.accuracy import (
    LEAST_ALPHA,
    abstention_rate,
    average_certified_radius,
    certified_accuracy,
    high_probability_accuracy,
    summarize,
    wrong_certificates,
)
from smoothcert.analysis.log import read_log
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.statistics import bounds

HEADER = "idx\tlabel\tpredict\tradius\tcorrect\ttime\n"


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "small.tsv"
    path.write_text(
        HEADER
        + "0\t1\t1\t0.500000\t1\t1.0\n"
        + "1\t1\t2\t0.900000\t0\t1.0\n"
        + "2\t1\t-1\t0.0\t0\t1.0\n"
        + "3\t1\t1\t0.000000\t1\t1.0\n"
        + "4\t1\t1\t1.250001\t1\t1.0\n"
    )
    return path


def test_a_hand_computed_log(small: Path) -> None:
    log = read_log(small)
    radii = [0.0, 0.1, 0.5, 0.500001, 1.25, 1.250001, 1.3]
    expected = [3 / 5, 2 / 5, 2 / 5, 1 / 5, 1 / 5, 1 / 5, 0]
    assert certified_accuracy(log, radii).tolist() == expected
    assert abstention_rate(log) == 1 / 5
    assert average_certified_radius(log) == pytest.approx((0.5 + 1.250001) / 5)
    assert summarize(log).clean == 3 / 5


@pytest.mark.parametrize("images", [1, 5, 40, 500])
@pytest.mark.parametrize("alpha", [0.001, 0.05])
@pytest.mark.parametrize("rho", [0.001, 0.2])
def test_wrong_certificates_is_the_exact_quantile(images: int, alpha: float, rho: float) -> None:
    wrong = wrong_certificates(images, alpha, rho)
    a = Fraction(alpha)
    pmf = [math.comb(images, k) * a**k * (1 - a) ** (images - k) for k in range(wrong + 1)]
    assert 1 - sum(pmf) <= Fraction(rho)
    if wrong:
        assert 1 - sum(pmf[:-1]) > Fraction(rho)


def test_high_probability_accuracy(small: Path) -> None:
    log = read_log(small)
    assert wrong_certificates(5, 0.001, 0.001) == 1
    assert high_probability_accuracy(log, [0.0, 0.5, 2.0], 0.001).tolist() == pytest.approx(
        [2 / 5, 1 / 5, 0.0]
    )
    assert LEAST_ALPHA == bounds.LEAST_ALPHA
    below = LEAST_ALPHA * 0.99
    for alpha, rho in ((0.0, 0.1), (below, 0.1), (1.0, 0.1), (0.1, 0.0), (0.1, below), (0.1, 1.0)):
        with pytest.raises(InputError, match="out of range"):
            high_probability_accuracy(log, [0.0], alpha, rho)


def test_the_bound_holds_at_every_radius_at_once(tmp_path: Path) -> None:
    # Ten certificates of which up to w are wrong, whichever those are: taking them away leaves at
    # least the bound at each radius.
    path = tmp_path / "log.tsv"
    radii = [0.1 * i for i in range(1, 11)]
    path.write_text(HEADER + "".join(f"{i}\t1\t1\t{r:.6f}\t1\t1\n" for i, r in enumerate(radii)))
    log = read_log(path)
    wrong = wrong_certificates(10, 0.05, 0.01)
    assert wrong == 3
    grid = np.linspace(0.0, 1.1, 12)
    bound = high_probability_accuracy(log, grid, 0.05, 0.01)
    for taken in itertools.combinations(range(10), wrong):
        true = np.delete(log.radius, taken)
        left = (true[:, None] >= grid).sum(axis=0) / 10
        assert (left >= bound - 1e-12).all()


def test_a_bernstein_bound_is_never_tighter() -> None:
    for images, alpha, rho in ((500, 0.001, 0.001), (10_000, 0.01, 0.001), (50_000, 0.001, 0.01)):
        log_inverse = math.log(1 / rho)
        spread = math.sqrt(2 * images * alpha * (1 - alpha) * log_inverse)
        bernstein = images * alpha + spread + log_inverse / 3
        assert wrong_certificates(images, alpha, rho) <= bernstein


@pytest.mark.parametrize("digits", ["0.1", "0.3", "0.7", "1.1", "2.675", "0.123457"])
def test_a_radius_counts_at_its_own_decimal(tmp_path: Path, digits: str) -> None:
    path = tmp_path / "log.tsv"
    path.write_text(HEADER + f"0\t1\t1\t{float(digits):.6f}\t1\t1\n")
    assert certified_accuracy(read_log(path), float(digits)).tolist() == [1.0]
    assert certified_accuracy(read_log(path), float(digits) + 1e-6).tolist() == [0.0]


PUBLISHED = [
    ("imagenet/sigma_0.25", [0, 0.5, 1], [0.667, 0.494, 0]),
    ("imagenet/sigma_0.50", [0, 0.5, 1, 1.5, 2], [0.572, 0.458, 0.372, 0.286, 0]),
    (
        "imagenet/sigma_1.00",
        [0, 0.5, 1, 1.5, 2, 2.5, 3],
        [0.436, 0.378, 0.326, 0.260, 0.194, 0.148, 0.122],
    ),
    ("cifar10/sigma_0.12", [0, 0.25, 0.5], [0.814, 0.586, 0]),
    ("cifar10/sigma_0.25", [0, 0.25, 0.5, 0.75, 1], [0.748, 0.600, 0.428, 0.266, 0]),
    (
        "cifar10/sigma_0.50",
        [0, 0.25, 0.5, 0.75, 1, 1.25, 1.5],
        [0.652, 0.546, 0.414, 0.320, 0.234, 0.152, 0.094],
    ),
    (
        "cifar10/sigma_1.00",
        [0, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 2, 2.5, 3],
        [0.472, 0.392, 0.340, 0.278, 0.216, 0.174, 0.140, 0.100, 0.048, 0.020],
    ),
]


@pytest.mark.parametrize(("name", "radii", "expected"), PUBLISHED)
def test_the_published_tables(
    published_log: Callable[[str], Path], name: str, radii: list[float], expected: list[float]
) -> None:
    accuracy = certified_accuracy(read_log(published_log(name)), radii)
    assert np.round(accuracy, 3).tolist() == expected
