"""The noise law against a slow reference, exact probabilities and chi-square."""

import itertools
import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from scipy import special, stats

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.noise.lattice import LatticeGaussian
from smoothcert.engine.noise.streams import Purpose
from smoothcert.engine.noise.table import NoiseTable

MASK = 0xFFFFFFFF


def philox(counter: tuple[int, ...], key: tuple[int, int]) -> tuple[int, ...]:
    """Philox4x32-10 in plain integers, written from the paper's definition."""
    x0, x1, x2, x3 = counter
    k0, k1 = key
    for _ in range(10):
        a, b = 0xD2511F53 * x0, 0xCD9E8D57 * x2
        x0, x1, x2, x3 = (b >> 32) ^ x1 ^ k0, b & MASK, (a >> 32) ^ x3 ^ k1, a & MASK
        k0, k1 = (k0 + 0x9E3779B9) & MASK, (k1 + 0xBB67AE85) & MASK
    return x0, x1, x2, x3


def reference_noise(
    thresholds: list[int], seed: int, image: int, sample: int, pixel: int, purpose: int
) -> int:
    """The contract read literally: always 64 bits, always every threshold."""
    key = (seed & MASK, seed >> 32)
    high = philox((pixel // 4, sample, image, purpose), key)[pixel % 4]
    low = philox((pixel // 4, sample, image, purpose + 128), key)[pixel % 4]
    uniform = (high << 32) | low
    return sum(t <= uniform for t in thresholds) - len(thresholds) // 2


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        (
            (MASK,) * 4,
            (MASK,) * 2,
            (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD),
        ),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
)
def test_reference_gives_random123_answers(
    counter: tuple[int, ...], key: tuple[int, int], expected: tuple[int, ...]
) -> None:
    assert philox(counter, key) == expected


@pytest.mark.parametrize("sigma", [0.12, 0.25, 1.0])
def test_thresholds_are_the_floor_of_the_exact_cdf(sigma: float) -> None:
    table = LatticeGaussian(sigma).table
    half_width = math.ceil(9.2 * 255 * sigma)
    assert len(table.thresholds) == 2 * half_width
    rng = np.random.default_rng(1)
    picks = {
        0,
        half_width - 1,
        half_width,
        2 * half_width - 1,
        *rng.integers(0, 2 * half_width, 60),
    }
    with mpmath.workdps(80):
        for index in map(int, picks):
            z = (mpmath.mpf(index - half_width) + mpmath.mpf("0.5")) / (255 * mpmath.mpf(sigma))
            assert int(table.thresholds[index]) == int(mpmath.floor(mpmath.ncdf(z) * 2**64))


@pytest.mark.parametrize("sigma", [0.12, 0.25, 1.0, 4.0])
@pytest.mark.parametrize("purpose", list(Purpose))
def test_sampler_equals_the_reference(sigma: float, purpose: int) -> None:
    law = LatticeGaussian(sigma)
    thresholds = [int(t) for t in law.table.thresholds]
    seed, image, first, pixels = 0x0123456789ABCDEF, 2**32 - 2, 2**32 - 3, 11
    noise = law.sample(seed, image, first, 3, pixels, purpose)
    assert noise.dtype == np.int16
    expected = [
        [reference_noise(thresholds, seed, image, first + s, p, purpose) for p in range(pixels)]
        for s in range(3)
    ]
    assert noise.tolist() == expected


@pytest.mark.parametrize("pixels", [1, 3, 4, 1023, 1024, 1025, 3072, 5000])
def test_units_and_tails_join_without_a_seam(pixels: int) -> None:
    law = LatticeGaussian(0.5)
    long = law.sample(7, 3, 10, 5, 6000, 1)
    assert np.array_equal(law.sample(7, 3, 10, 5, pixels, 1), long[:, :pixels])
    assert np.array_equal(law.sample(7, 3, 12, 1, pixels, 1)[0], long[2, :pixels])
    last = 5999
    thresholds = [int(t) for t in law.table.thresholds]
    assert long[4, last] == reference_noise(thresholds, 7, 3, 14, last, 1)


def test_forced_refinement() -> None:
    """Thresholds built to share the high word of the very words that are drawn: the low word
    decides, on either side and on equality."""
    from smoothcert.engine.noise.sampler import draw_noise

    seed, image, sample, purpose, pixels = 5, 1, 2, 1, 64
    key = (seed & MASK, seed >> 32)
    uniforms = []
    for block in range(pixels // 4):
        high = philox((block, sample, image, purpose), key)
        low = philox((block, sample, image, purpose + 128), key)
        uniforms += [(h << 32) | w for h, w in zip(high, low, strict=True)]
    for shift in (-1, 0, 1):
        thresholds = sorted(u + shift for u in uniforms)
        table = NoiseTable.of_thresholds(np.array(thresholds, dtype=np.uint64))
        noise = draw_noise(table, seed, image, sample, 1, pixels, purpose)[0]
        expected = [sum(t <= u for t in thresholds) - pixels // 2 for u in uniforms]
        assert noise.tolist() == expected
    # Many thresholds under one high word.
    thresholds = sorted((uniforms[9] >> 32 << 32) + i * 2**27 for i in range(32))
    table = NoiseTable.of_thresholds(np.array(thresholds, dtype=np.uint64))
    noise = draw_noise(table, seed, image, sample, 1, pixels, purpose)[0]
    assert noise.tolist() == [sum(t <= u for t in thresholds) - 16 for u in uniforms]


@pytest.mark.parametrize(("sigma", "published"), [(0.25, 1.0e-17), (1.0, 4.2e-17)])
def test_total_variation_bounds_the_exact_distance(sigma: float, published: float) -> None:
    """An independent sum over cells, in 80 digits, is below the bound and close to it."""
    law = LatticeGaussian(sigma)
    half_width = law.table.half_width
    scale = 255 * mpmath.mpf(sigma)
    with mpmath.workdps(80):
        cdf = [
            mpmath.ncdf((mpmath.mpf(j) + mpmath.mpf("0.5")) / scale)
            for j in range(-half_width - 1, half_width + 1)
        ]
        drawn = [0, *(int(t) for t in law.table.thresholds), 2**64]
        total = cdf[0] + (1 - cdf[-1])
        for i in range(2 * half_width + 1):
            cell = mpmath.mpf(drawn[i + 1] - drawn[i]) / 2**64
            total += abs(cell - (cdf[i + 1] - cdf[i]))
        exact = float(total / 2)
    bound = law.total_variation(1)
    assert exact <= bound <= 1.02 * exact
    assert bound == pytest.approx(published, rel=0.1)
    assert law.total_variation(150_528) == pytest.approx(150_528 * bound, rel=1e-9)


@pytest.mark.parametrize("sigma", [0.12, 0.5])
def test_chi_square_on_millions_of_draws(sigma: float) -> None:
    noise = LatticeGaussian(sigma).sample(2024, 0, 0, 400, 10_000, 1).ravel().astype(np.int64)
    steps = 255 * sigma
    edge = int(3.5 * steps)
    counts = np.bincount(np.clip(noise, -edge, edge) + edge, minlength=2 * edge + 1)
    cuts = special.ndtr((np.arange(-edge, edge) + 0.5) / steps)
    expected = np.diff(np.concatenate([[0.0], cuts, [1.0]])) * len(noise)
    assert expected.min() > 20
    statistic = float(((counts - expected) ** 2 / expected).sum())
    # Fixed seed: the draw is one number; 1e-4 on either side would mean a broken law.
    assert 1e-4 < stats.chi2.sf(statistic, 2 * edge) < 1 - 1e-4


def test_streams_are_uncorrelated() -> None:
    """Neighbouring pixels, samples, images and purposes: correlations within 5 standard errors."""
    law = LatticeGaussian(0.25)
    base = law.sample(1, 1, 0, 100, 10_000, 1).astype(np.float64)
    others = [
        law.sample(1, 1, 1, 100, 10_000, 1),
        law.sample(1, 2, 0, 100, 10_000, 1),
        law.sample(1, 1, 0, 100, 10_000, 0),
        law.sample(2, 1, 0, 100, 10_000, 1),
        np.roll(base, 1, axis=1),
        np.roll(base, 4, axis=1),
    ]
    for other in others:
        correlation = np.corrcoef(base.ravel(), np.asarray(other, np.float64).ravel())[0, 1]
        assert abs(correlation) < 5 / math.sqrt(base.size)


def test_moments() -> None:
    """Variance sigma^2 + 1/12 step^2 (rounding), within 5 standard errors."""
    noise = LatticeGaussian(0.25).sample(3, 0, 0, 200, 10_000, 1).astype(np.float64)
    variance = (255 * 0.25) ** 2 + 1 / 12
    assert abs(noise.mean()) < 5 * math.sqrt(variance / noise.size)
    assert abs(noise.var() / variance - 1) < 5 * math.sqrt(2 / noise.size)


def test_cell_probabilities_sum_exactly() -> None:
    thresholds = [0, *(int(t) for t in LatticeGaussian(0.25).table.thresholds), 2**64]
    cells = [Fraction(b - a, 2**64) for a, b in itertools.pairwise(thresholds)]
    assert sum(cells) == 1
    assert min(cells) >= 0
    mirrored = [abs(a - b) for a, b in zip(cells, cells[::-1], strict=True)]
    assert max(mirrored) <= Fraction(2, 2**64)


@pytest.mark.parametrize("sigma", [0.0, -0.25, 0.0001, 1e-320, 4.0001, math.nan, math.inf])
def test_sigma_out_of_range_is_refused(sigma: float) -> None:
    with pytest.raises(InputError, match=r"expected 0\.0002 <= sigma <= 4"):
        LatticeGaussian(sigma)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((2**64, 0, 0, 1, 1, 0), "seed"),
        ((-1, 0, 0, 1, 1, 0), "seed"),
        ((0, 2**32, 0, 1, 1, 0), "image id"),
        ((0, 0, 2**32 - 1, 2, 1, 0), "sample index"),
        ((0, 0, -1, 1, 1, 0), "first sample"),
        ((0, 0, 0, 1, 1, 128), "purpose"),
        ((0, 0, 0, 1, 0, 0), "num_pixels"),
    ],
)
def test_indices_out_of_range_are_refused(arguments: tuple[int, ...], words: str) -> None:
    with pytest.raises(InputError, match=words):
        LatticeGaussian(0.25).sample(*arguments)


@pytest.mark.parametrize("pixels", [0, -1, 2**40])
def test_images_have_pixels(pixels: int) -> None:
    with pytest.raises(InputError, match=f"^num_pixels {pixels} is out of range"):
        LatticeGaussian(0.25).total_variation(pixels)


def test_sigma_is_python_s_own_number() -> None:
    """The table is one of exactly this sigma, and mpmath knows no other floats."""
    law = LatticeGaussian(np.float32(0.3), np.uint8(255))  # type: ignore[arg-type]
    assert type(law.sigma) is float
    assert law.sigma == float(np.float32(0.3))
    assert type(law.levels) is int


def test_no_samples() -> None:
    assert LatticeGaussian(0.25).sample(0, 0, 0, 0, 5, 0).shape == (0, 5)
