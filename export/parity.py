"""Parity: two networks vote on exactly the same noisy images."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from smoothcert.engine.backends.base import Network
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.noise.lattice import LatticeGaussian
from smoothcert.engine.noise.sampler import RowSampler
from smoothcert.engine.noise.streams import Purpose, counters

_RELATIVE_TOLERANCE = 1e-3
"""Float32 kernels that sum in another order differ by about 1e-6 of the logits' scale; a wrong
weight, layer or normalisation by far more than this."""


@dataclass(frozen=True)
class Parity:
    """samples noisy images were voted on; `disagreements` of them differently.

    largest_difference  between two logits of the same row and class
    scale               the largest logit's magnitude
    """

    samples: int
    disagreements: int
    largest_difference: float
    scale: float


def compare_votes(
    first: Network,
    second: Network,
    images: Sequence[npt.NDArray[np.uint8]],
    sigma: float,
    samples_per_image: int = 32,
    seed: int = 0,
) -> Parity:
    """Run both networks (equal batch sizes) on the same noise around each image (uint8 [C,H,W]).

    The noise is the parity stream of the noise law: never that of a certificate.
    """
    spec, batch = first.spec, len(first.inputs)
    sampler = RowSampler(LatticeGaussian(sigma).table, seed, *spec.affine())
    pixels = np.stack([image.reshape(-1) for image in images])
    slots = np.repeat(np.arange(len(images), dtype=np.int32), samples_per_image)
    addresses = counters(np.tile(np.arange(samples_per_image), len(images)), slots, Purpose.PARITY)
    disagreements, difference, scale = 0, 0.0, 0.0
    for start in range(0, len(slots), batch):
        rows = slice(start, start + batch)
        count = len(slots[rows])
        sampler.fill(pixels, slots[rows], np.ascontiguousarray(addresses[:, rows]), first.inputs)
        second.inputs[:] = first.inputs
        one, other = first.run()[:count], second.run()[:count]
        disagreements += int((one.argmax(axis=1) != other.argmax(axis=1)).sum())
        # numpy's maximum, unlike max, lets a NaN through: NaN logits are no agreement.
        difference = float(np.maximum(difference, np.abs(one - other).max()))
        scale = float(np.maximum(scale, np.abs(one).max()))
    return Parity(len(slots), disagreements, difference, scale)


def check_float_noise(parity: Parity) -> None:
    """Raise InputError unless the logits differ by float rounding only."""
    allowed = _RELATIVE_TOLERANCE * max(parity.scale, 1e-30)
    if not parity.largest_difference <= allowed:
        raise InputError(
            f"the exported network disagrees with the checkpoint: logits differ by up to "
            f"{parity.largest_difference:.3g} at a scale of {parity.scale:.3g}, votes in "
            f"{parity.disagreements} of {parity.samples}: expected at most {allowed:.3g}; "
            "please report the architecture"
        )
