"""Addresses of randomness: every sample is drawn for a (seed, image id, sample index, purpose)."""

import secrets
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from smoothcert.engine.base.ranges import SEED


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


def check_seed(seed: int) -> int:
    """Return seed; raises InputError unless it has at most 64 bits."""
    return SEED.whole_number(seed)


def fresh_seed() -> int:
    """A seed of 64 bits of the operating system's randomness.

    A certificate's seed must be one that neither the image nor the model was made for: a linear
    model that is aligned to the noise of a known seed wins every vote at a true probability of 1/2.
    """
    return secrets.randbits(64)


def counters(
    samples: npt.ArrayLike, image_ids: npt.ArrayLike, purpose: npt.ArrayLike
) -> npt.NDArray[np.uint32]:
    """The addresses of rows, uint32 [3, rows]: sample index, image id and purpose of each.

    Each of the three is an array [rows], or one number that all rows share.
    """
    return np.stack(np.broadcast_arrays(samples, image_ids, purpose)).astype(np.uint32)
