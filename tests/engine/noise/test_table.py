"""The sampler's table: its guide never tells another rank than its thresholds."""

import numpy as np
import pytest

from smoothcert.engine.noise.lattice import LatticeGaussian
from smoothcert.engine.noise.table import NoiseTable


@pytest.mark.parametrize("sigma", [0.12, 0.25, 0.5, 1.0, 4.0])
def test_guide_agrees_with_the_thresholds_everywhere_it_can_change(sigma: float) -> None:
    """Words next to every threshold and bucket edge: the exact rank or a mark, never else."""
    table = LatticeGaussian(sigma).table
    low_bits = 32 - table.guide_bits
    high = (table.thresholds >> np.uint64(32)).astype(np.int64)
    edges = np.arange(1 << table.guide_bits, dtype=np.int64) << low_bits
    words = np.concatenate([high + d for d in (-1, 0, 1)] + [edges - 1, edges, edges + 1])
    words = np.unique(words[(words >= 0) & (words < 2**32)])
    entry = table.entries[words >> low_bits].astype(np.int64)
    low, threshold, base = (
        words & ((1 << low_bits) - 1),
        entry & ((1 << low_bits) - 1),
        entry >> low_bits,
    )
    decided = (low != threshold) & (base != (1 << table.guide_bits) - 1)
    rank = base + (low > threshold)
    assert np.array_equal(rank[decided], np.searchsorted(high, words)[decided])
    ambiguous = np.isin(words, high)
    assert not decided[ambiguous].any()
    assert np.mean(table.entries >> np.uint32(low_bits) == (1 << table.guide_bits) - 1) < 0.01


def test_buckets_say_one_threshold_several_or_none() -> None:
    """Two thresholds in the second of 2^14 buckets, one in the last, none in the others."""
    high = [1 << 18, (1 << 18) + 5, 2**32 - 7]
    thresholds = np.array([*(word << 32 for word in high), 2**64 - 1], np.uint64)
    table = NoiseTable.of_thresholds(thresholds[:2])
    assert (table.half_width, table.guide_bits) == (1, 14)
    low, several = (1 << 18) - 1, (1 << 14) - 1
    assert table.entries[:3].tolist() == [low, several << 18 | low, 2 << 18 | low]
    single = NoiseTable.of_thresholds(thresholds[[0, 2]])
    assert single.entries[[1, -1]].tolist() == [0, 1 << 18 | (low - 6)]
    assert single.first[[0, 1, 2, -1]].tolist() == [0, 0, 1, 1]
