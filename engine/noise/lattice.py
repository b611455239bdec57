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
from functools import cached_property, lru_cache

import mpmath
import numpy as np
import numpy.typing as npt

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.input_spec import LEVELS
from smoothcert.engine.base.ranges import GRID, PIXELS, SIGMA
from smoothcert.engine.noise.sampler import draw_noise
from smoothcert.engine.noise.table import NoiseTable

NOISE_LAW = "integer Gaussian on the 1/255 grid, Philox4x32-10, 64-bit thresholds"
"""What a manifest calls this law; another law, generator or table is another name."""

# The support ends at 9.2 standard deviations: beyond 9.16 a 64-bit threshold is 0 or all ones.
_SUPPORT = 9.2
_DIGITS = 60


@dataclass(frozen=True)
class LatticeGaussian:
    """The integer Gaussian: P[N = j] = Phi((j + 1/2) / (levels sigma)) - Phi((j - 1/2) / (...)).

    sigma   standard deviation in [0, 1]-pixel units, in [0.0002, 4]
    levels  grid steps per unit; 255 for 8-bit images. Of fewer, sigma must be so much larger at
            least: below, no integer but 0 has a probability that 64 random bits can draw

    Raises InputError for a sigma or levels outside their ranges.
    """

    sigma: float
    levels: int = LEVELS

    def __post_init__(self) -> None:
        """Refuse what does not fit int16, and noise that is none."""
        # As Python's own numbers: the table is one of exactly this sigma, whatever was given.
        object.__setattr__(self, "sigma", float(SIGMA.check(self.sigma)))
        object.__setattr__(self, "levels", GRID.whole_number(self.levels))
        if self.sigma * self.levels < SIGMA.low * LEVELS:
            raise InputError(
                f"sigma {self.sigma} is out of range: expected at least "
                f"{SIGMA.low * LEVELS / self.levels:g} where pixels have {self.levels} levels"
            )

    @cached_property
    def table(self) -> NoiseTable:
        """The sampler's table; computed once per (sigma, levels) and process."""
        return _table(self.sigma, self.levels)

    def total_variation(self, num_pixels: int) -> float:
        """An upper bound on the total-variation distance between the drawn noise of a whole image
        of `num_pixels` pixels and the ideal integer Gaussian, given uniform random bits.

        Whatever the classifier, a class probability under the drawn noise differs from the ideal
        one by at most this. Raises InputError for a number of pixels outside its range.
        """
        PIXELS.check(num_pixels, "num_pixels")
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
        outside 64 bits or any other number outside its range.
        """
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
        high = [2**64 - int(mpmath.ceil(q)) for q in tail]
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
