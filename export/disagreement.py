"""zeta: how often two networks vote differently on exactly the same noisy images, and its bound."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from smoothcert.engine.backends.base import Network, votes_of
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.noise.lattice import LatticeGaussian
from smoothcert.engine.noise.sampler import RowSampler
from smoothcert.engine.noise.streams import Purpose, counters
from smoothcert.engine.statistics.bounds import failure_bound


@dataclass(frozen=True)
class Disagreement:
    """What two networks disagreed on.

    counts   int64 [images]: samples of each image on which their votes differ
    samples  per image
    sigma    of the noise
    """

    counts: npt.NDArray[np.int64]
    samples: int
    sigma: float

    @property
    def total(self) -> int:
        """All samples, of all images."""
        return self.samples * len(self.counts)

    @property
    def zeta(self) -> float:
        """The rate of differing votes over all samples."""
        return float(self.counts.sum()) / self.total

    def zeta_upper(self, alpha: float) -> float:
        """One-sided Clopper-Pearson upper bound on the mean over these images of the probability
        of differing votes; with probability at least 1 - alpha (< 1/4) it is at least that mean.

        The images' rates differ, so the count is no binomial one, but its lower tail below the
        mean is lighter still (Hoeffding 1956, theorem 5).
        """
        return float(failure_bound(self.total - int(self.counts.sum()), self.total, alpha))

    def zeta_upper_per_image(self, alpha: float) -> npt.NDArray[np.float64]:
        """The same for each image, each with probability at least 1 - alpha: float64 [images]."""
        return np.asarray(failure_bound(self.samples - self.counts, self.samples, alpha))


def measure_disagreement(
    first: Network,
    second: Network,
    images: Sequence[npt.NDArray[np.uint8]],
    sigma: float,
    samples_per_image: int = 32,
    seed: int = 0,
    first_sample: int = 0,
    purpose: Purpose = Purpose.PARITY,
) -> Disagreement:
    """Let both networks vote on the same noise around each image (uint8 [C, H, W]).

    Sample i of image j is that of image id j in the noise law; the stream is never a
    certificate's. A row that is not finite votes for no class, and two such rows agree. The
    networks may differ in batch size and in normalisation, not in shape or classes. Raises
    InputError for those.
    """
    if first.spec.shape != second.spec.shape or first.num_classes != second.num_classes:
        raise InputError(
            f"networks of input {first.spec.shape}, {first.num_classes} classes and input "
            f"{second.spec.shape}, {second.num_classes} classes cannot be compared: expected the "
            "same"
        )
    if not images or samples_per_image < 1:
        raise InputError(
            f"{samples_per_image} samples of {len(images)} images compare nothing: expected at "
            "least 1 of each"
        )
    table = LatticeGaussian(sigma).table
    pixels = np.stack([image.reshape(-1) for image in images])
    slots = np.repeat(np.arange(len(images), dtype=np.int32), samples_per_image)
    samples = np.tile(np.arange(samples_per_image) + first_sample, len(images))
    addresses = counters(samples, slots, purpose)

    def votes(network: Network) -> npt.NDArray[np.int32]:
        sampler = RowSampler(table, seed, *network.spec.affine())
        batch = len(network.inputs)
        found = []
        for start in range(0, len(slots), batch):
            rows = slice(start, start + batch)
            own = np.ascontiguousarray(addresses[:, rows])
            sampler.fill(pixels, slots[rows], own, network.inputs)
            found.append(votes_of(network.run()[: own.shape[1]]))
        return np.concatenate(found)

    differ = votes(first) != votes(second)
    counts = differ.reshape(len(images), -1).sum(axis=1, dtype=np.int64)
    return Disagreement(counts, samples_per_image, sigma)
