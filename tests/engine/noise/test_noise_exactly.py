"""The noise law to its last digits and edges: what a wrong sign, end or constant would change."""

import importlib.util
from types import ModuleType

import mpmath
import numba
import numpy as np
import pytest

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.input_spec import LEVELS
from smoothcert.engine.base.ranges import SIGMA
from smoothcert.engine.noise import sampler
from smoothcert.engine.noise.lattice import NOISE_LAW, LatticeGaussian
from smoothcert.engine.noise.sampler import RowSampler, draw_noise
from smoothcert.engine.noise.table import NoiseTable


@pytest.mark.parametrize(("sigma", "levels"), [(0.03, 255), (0.25, 255), (1.5, 40)])
def test_total_variation_is_half_the_cells_errors_and_twice_what_lies_beyond(
    sigma: float, levels: int
) -> None:
    """And is widened twice by 1e-12: it must not be rounded down."""
    law = LatticeGaussian(sigma, levels)
    half_width = law.table.half_width
    with mpmath.workdps(70):
        scale = levels * mpmath.mpf(sigma)
        cdf = [mpmath.ncdf((j + mpmath.mpf(1) / 2) / scale) for j in range(half_width)]
        cdf = [*(1 - p for p in reversed(cdf)), *cdf]
        errors = [
            p - mpmath.mpf(int(t)) / 2**64 for p, t in zip(cdf, law.table.thresholds, strict=True)
        ]
        cells = [b - a for a, b in zip([0, *errors], [*errors, 0], strict=True)]
        beyond = 1 - mpmath.ncdf((half_width + mpmath.mpf(1) / 2) / scale)
        exact = sum(map(abs, cells)) / 2 + 2 * beyond
        assert beyond > 0
        for pixels in (1, 7, 150_528):
            widened = mpmath.mpf(law.total_variation(pixels)) / (pixels * exact) - 1
            assert 1.99e-12 < widened < 2.01e-12


def test_the_law_has_a_name() -> None:
    """Logs hold it: another name is another law."""
    assert NOISE_LAW == "integer Gaussian on the 1/255 grid, Philox4x32-10, 64-bit thresholds"


def test_grids_have_1_to_255_steps() -> None:
    assert LatticeGaussian(1.0, 1).table.half_width == 10
    assert LatticeGaussian(1.0).levels == LEVELS == 255
    for levels in (0, 256):
        with pytest.raises(InputError, match=f"levels {levels} is out of range"):
            LatticeGaussian(1.0, levels)


def test_the_least_sigma_is_in_steps_of_the_grid() -> None:
    assert LatticeGaussian(SIGMA.low).sigma == SIGMA.low
    with pytest.raises(InputError, match="where pixels have 100 levels"):
        LatticeGaussian(SIGMA.low, 100)
    assert LatticeGaussian(2.56 * SIGMA.low, 100).levels == 100


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((0, -1, 0, 1, 1, 0), "image id -1"),
        ((0, 0, 2**32, 1, 1, 0), "^first sample 4294967296"),
        ((0, 0, 0, 2**32 + 1, 1, 0), "num_samples 4294967297 is out of range"),
        ((0, 0, 0, 1, 1, -1), "purpose -1"),
        ((0, 0, 5, -1, 1, 0), "num_samples -1"),
    ],
)
def test_the_first_address_beyond_is_refused(arguments: tuple[int, ...], words: str) -> None:
    with pytest.raises(InputError, match=words):
        LatticeGaussian(0.25).sample(*arguments)


def test_the_last_address_is_drawn() -> None:
    last = 2**32 - 1
    noise = LatticeGaussian(0.25).sample(2**64 - 1, last, last, 1, 1, 127)
    assert noise.shape == (1, 1)
    assert np.array_equal(
        LatticeGaussian(0.25).sample(2**64 - 1, last, last - 2, 3, 1, 127)[2:], noise
    )


def test_nothing_is_read_behind_the_thresholds() -> None:
    """A word above all thresholds of its bucket takes the exact path to their end."""
    wide = np.arange(1, 1 << 14, dtype=np.uint64) << np.uint64(50)  # a threshold in each bucket
    words = draw_noise(NoiseTable.of_thresholds(wide), 3, 0, 0, 1, 64, 1)[0].astype(np.int64)
    top = int(words.max()) + (len(wide) // 2)  # the bucket of the largest word
    held = np.array([top << 50, (top << 50) + 1, 0, 0], np.uint64)
    drawn = draw_noise(NoiseTable.of_thresholds(held[:2]), 3, 0, 0, 1, 64, 1)[0]
    assert drawn.max() == 1
    assert (drawn == 1).sum() == (words == words.max()).sum()


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The sampler as plain Python: an index out of range or an overflow is an error."""
    monkeypatch.setattr(numba.config, "DISABLE_JIT", True)
    spec = importlib.util.find_spec(sampler.__name__)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_what_is_compiled_is_the_python_that_is_read(plain: ModuleType) -> None:
    """Undecided words too, in every place of a block: of 64 thresholds each shares its bucket."""
    draws = draw_noise(NoiseTable.of_thresholds(_crowded()), 5, 1, 2, 2, 70, 1)
    again = plain.draw_noise(NoiseTable.of_thresholds(_crowded()), 5, 1, 2, 2, 70, 1)
    assert np.array_equal(draws, again)
    assert len(set(draws.ravel().tolist())) > 3


def test_rows_are_the_python_that_is_read(plain: ModuleType) -> None:
    table = NoiseTable.of_thresholds(_crowded())
    scale, shift = np.array([2.0, 3.0], np.float32), np.array([0.5, -0.5], np.float32)
    images = np.arange(2 * 18, dtype=np.uint8).reshape(2, 18)
    slots, addresses = np.array([1, 0, 1], np.int32), np.arange(9, dtype=np.uint32).reshape(3, 3)
    found = [np.zeros((3, 18), np.float32) for _ in range(2)]
    for kind, inputs in zip((RowSampler, plain.RowSampler), found, strict=True):
        kind(table, 7, scale, shift, 1).fill(images, slots, addresses, inputs)
    assert np.array_equal(found[0], found[1])


def _crowded() -> np.ndarray[tuple[int, ...], np.dtype[np.uint64]]:
    """64 thresholds in pairs, so that many words fall into a bucket with two."""
    edges = np.arange(1, 33, dtype=np.uint64) * np.uint64(2**64 // 33)
    return np.sort(np.concatenate([edges, edges + np.uint64(1 << 40)]))
