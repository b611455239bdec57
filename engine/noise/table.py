"""The sampler's table: from 32 uniform bits to an integer; 64 where they do not decide."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class NoiseTable:
    """Inverse-CDF table for 32-bit words with lazy refinement to 64 bits.

    thresholds  uint64 [2J], ascending: N + J counts those <= U for a uniform 64-bit U
    guide_bits  a word's top guide_bits choose its bucket
    entries     uint32 [2^guide_bits]: (thresholds below the bucket) << (32 - guide_bits) | low
                bits of the high word of the bucket's single threshold. A count of all ones marks
                a bucket with several thresholds; low bits of all ones stand for "none" too,
                because equality always goes the slow, exact way.
    first       int32 [2^guide_bits]: thresholds whose high word lies below the bucket
    """

    thresholds: npt.NDArray[np.uint64]
    guide_bits: int
    entries: npt.NDArray[np.uint32]
    first: npt.NDArray[np.int32]

    @classmethod
    def of_thresholds(cls, thresholds: npt.NDArray[np.uint64]) -> "NoiseTable":
        """Build the guide for ascending thresholds (an even number of them)."""
        count = len(thresholds)
        # One bit beyond the count's own keeps buckets with several thresholds rare (< 1 %), and
        # the table inside the first-level cache for every usual sigma.
        guide_bits = max(14, count.bit_length() + 1)
        low_bits = 32 - guide_bits
        high = (thresholds >> np.uint64(32)).astype(np.int64)
        edges = np.arange((1 << guide_bits) + 1, dtype=np.int64) << low_bits
        below = np.searchsorted(high, edges)
        first, inside = below[:-1], np.diff(below)
        several = (1 << guide_bits) - 1
        none = (1 << low_bits) - 1
        single = high[np.minimum(first, count - 1)] & none
        base = np.where(inside > 1, several, first)
        low = np.where(inside == 1, single, none)
        entries = ((base << low_bits) | low).astype(np.uint32)
        return cls(thresholds, guide_bits, entries, first.astype(np.int32))

    @property
    def half_width(self) -> int:
        """J: the noise lies in [-J, J]."""
        return len(self.thresholds) // 2
