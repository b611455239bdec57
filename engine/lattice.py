"""The noise law: an exact integer Gaussian on the pixel grid, drawn from counter-based randomness.

An 8-bit image u and the noise N on the same grid make `u + N`: the continuous Gaussian
`u / levels + sigma * z` rounded to the grid, without a rounding error that depends on u. That is
what makes certificates sound in floating point (Voracek and Hein 2023 break the usual
`x + sigma * randn`). The law, its generator and its counters are fixed bit for bit, so every
implementation (CPU, GPU, reference) draws the same integers.
"""

import itertools
import math
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property, lru_cache

import mpmath
import numpy as np
import numpy.typing as npt

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.input_spec import LEVELS

MAX_SIGMA = 4.0
"""Up to here the noise and the noisy pixel fit int16."""

# The support ends at 9.2 standard deviations: beyond 9.16 a 64-bit threshold is 0 or all ones.
_SUPPORT = 9.2
_DIGITS = 60


class Purpose(IntEnum):
    """What a sample is drawn for: disjoint streams of the same seed. Purpose + 128 is the
    refinement stream of the same sample."""

    SELECTION = 0
    ESTIMATION = 1
    PREDICTION = 2
    PILOT = 3
    VISUALISATION = 4
    DISAGREEMENT = 5
    """Of two models in a certificate that is transferred from one to the other."""
    CALIBRATION = 6
    PARITY = 7


REFINEMENT = 128


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


@dataclass(frozen=True)
class LatticeGaussian:
    """The integer Gaussian: P[N = j] = Phi((j + 1/2) / (levels sigma)) - Phi((j - 1/2) / (...)).

    sigma   standard deviation in [0, 1]-pixel units, in (0, 4]
    levels  grid steps per unit; 255 for 8-bit images

    Raises InputError for a sigma outside (0, 4].
    """

    sigma: float
    levels: int = LEVELS

    def __post_init__(self) -> None:
        """Refuse what does not fit int16."""
        if not 0.0 < self.sigma <= MAX_SIGMA:
            raise InputError(f"sigma {self.sigma} is out of range: expected 0 < sigma <= 4")
        if not 1 <= self.levels <= LEVELS:
            raise InputError(f"levels {self.levels} is out of range: expected 1..{LEVELS}")

    @cached_property
    def table(self) -> NoiseTable:
        """The sampler's table; computed once per (sigma, levels) and process."""
        return _table(self.sigma, self.levels)

    def total_variation(self, num_pixels: int) -> float:
        """An upper bound on the total-variation distance between the drawn noise of a whole image
        of `num_pixels` pixels and the ideal integer Gaussian, given uniform random bits.

        Whatever the classifier, a class probability under the drawn noise differs from the ideal
        one by at most this.
        """
        return num_pixels * _pixel_variation(self.sigma, self.levels) * (1 + 1e-12)

    def sample(
        self,
        seed: int,
        image_id: int,
        first_sample: int,
        num_samples: int,
        num_pixels: int,
        purpose: int,
    ) -> npt.NDArray[np.int16]:
        """The noise of samples first_sample .. first_sample + num_samples - 1 of one image.

        Returns int16 [num_samples, num_pixels] in grid steps, pixels in CHW order. A pure
        function of its arguments: bit-exact on every machine. Raises InputError for a seed
        outside 64 bits or an image id, sample index or purpose outside its range.
        """
        from smoothcert.engine.sampler import draw_noise

        return draw_noise(
            self.table, seed, image_id, first_sample, num_samples, num_pixels, purpose
        )


@lru_cache(maxsize=16)
def _scaled_tail(sigma: float, levels: int) -> tuple[mpmath.mpf, ...]:
    """2^64 * P[z > (j + 1/2) / (levels sigma)] for j = 0 .. J - 1, to more than 50 digits, then
    the mass beyond the support: 2^64 * P[z > (J + 1/2) / (levels sigma)]."""
    half_width = math.ceil(_SUPPORT * levels * sigma)
    with mpmath.workdps(_DIGITS):
        step = 1 / (levels * mpmath.mpf(sigma) * mpmath.sqrt(2))
        half = mpmath.mpf(1) / 2
        scale = mpmath.mpf(2) ** 63  # erfc is twice the tail
        return tuple(scale * mpmath.erfc((j + half) * step) for j in range(half_width + 1))


@lru_cache(maxsize=16)
def _table(sigma: float, levels: int) -> NoiseTable:
    with mpmath.workdps(_DIGITS):
        tail = _scaled_tail(sigma, levels)[:-1]
        low = [int(mpmath.floor(q)) for q in tail]
        high = [int(mpmath.floor(2**64 - q)) for q in tail]
    return NoiseTable.of_thresholds(np.array(low[::-1] + high, dtype=np.uint64))


@lru_cache(maxsize=16)
def _pixel_variation(sigma: float, levels: int) -> float:
    """Total variation between one drawn pixel and the ideal law, rounded up."""
    with mpmath.workdps(_DIGITS):
        *tail, beyond = _scaled_tail(sigma, levels)
        exact = [*tail[::-1], *(2**64 - q for q in tail)]
        # Errors of the cumulative probabilities; cell errors are their differences. The ideal
        # mass outside [-J, J] sits in the two end cells: moving it costs at most its size, twice.
        errors = [mpmath.mpf(0), *(c - mpmath.floor(c) for c in exact), mpmath.mpf(0)]
        cells = sum(abs(b - a) for a, b in itertools.pairwise(errors))
        total = (cells / 2 + 2 * beyond) / mpmath.mpf(2) ** 64
        return float(total) * (1 + 1e-12)
