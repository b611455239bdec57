"""Two networks on exactly the same noisy images: how far their logits and votes agree.

The noise is a stream of the noise law that no certificate draws from.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from smoothcert.engine.backends.base import Network, votes_of
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.failing import opening
from smoothcert.engine.noise.lattice import LatticeGaussian
from smoothcert.engine.noise.sampler import RowSampler
from smoothcert.engine.noise.streams import Purpose, counters
from smoothcert.engine.statistics.bounds import failure_bound

_RELATIVE_TOLERANCE = 1e-3
"""Float32 kernels that sum in another order differ by about 1e-6 of the logits' scale; a wrong
weight, layer or normalisation by far more than this."""

SAMPLES = 32
"""Of an image, unless it is said."""


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

    def line(self, pair: str = "") -> str:
        """What to print of it; `pair` says which two networks it is of."""
        return (
            f"parity {pair}on {self.samples} noisy images: {self.disagreements} votes differ, "
            f"logits by up to {self.largest_difference:.1e} at a scale of {self.scale:.1e}"
        )


def compare_votes(
    first: Network,
    second: Network,
    images: Sequence[npt.NDArray[np.uint8]],
    sigma: float,
    samples_per_image: int = SAMPLES,
    seed: int = 0,
    ran: Callable[[int], None] | None = None,
) -> Parity:
    """Run both networks (equal batch sizes) on the same noise around each image (uint8 [C,H,W]).

    ran  is told how many samples both have voted on, after each batch
    """
    noise = NoisyRows(images, sigma, samples_per_image, seed)
    disagreements, difference, scale = 0, 0.0, 0.0
    for one, other in zip(noise.logits(first), noise.logits(second, ran), strict=True):
        disagreements += int((one.argmax(axis=1) != other.argmax(axis=1)).sum())
        # numpy's maximum, unlike max, lets a NaN through: NaN logits are no agreement.
        difference = float(np.maximum(difference, np.abs(one - other).max()))
        scale = float(np.maximum(scale, np.abs(one).max()))
    return Parity(len(images) * samples_per_image, disagreements, difference, scale)


def check_float_noise(
    parity: Parity,
    what: str = "the exported network disagrees with the checkpoint",
    report: str = "the architecture",
    tolerance: float = _RELATIVE_TOLERANCE,
) -> None:
    """Raise InputError, saying `what`, unless the logits differ by float rounding only: by no more
    than `tolerance` of their scale."""
    allowed = tolerance * max(parity.scale, 1e-30)
    if not parity.largest_difference <= allowed:
        raise InputError(
            f"{what}: logits differ by up to "
            f"{parity.largest_difference:.3g} at a scale of {parity.scale:.3g}, votes in "
            f"{parity.disagreements} of {parity.samples}: expected at most {allowed:.3g}; "
            f"please report {report}"
        )


def random_images(shape: tuple[int, int, int], count: int = 8) -> list[npt.NDArray[np.uint8]]:
    """So many images uint8 [C, H, W] of random pixels, the same ones always."""
    return [np.random.default_rng(i).integers(0, 256, shape).astype(np.uint8) for i in range(count)]


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
    samples_per_image: int = SAMPLES,
    seed: int = 0,
    ran: Callable[[int], None] | None = None,
) -> Disagreement:
    """Let both networks vote on the same noise around each image (uint8 [C, H, W]).

    ran  is told how many rows either network has run, after each batch

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
    noise = NoisyRows(images, sigma, samples_per_image, seed)
    one, other = (
        np.concatenate([votes_of(logits) for logits in noise.logits(network, ran)])
        for network in (first, second)
    )
    counts = (one != other).reshape(len(images), -1).sum(axis=1, dtype=np.int64)
    return Disagreement(counts, samples_per_image, sigma)


class NoisyRows:
    """Rows of noise around images: sample i of image j is that of image id j in the noise law.

    images  uint8 [C, H, W] each
    order   int64, of the rows, image by image: those to take, in this order; None for all
    """

    def __init__(
        self,
        images: Sequence[npt.NDArray[np.uint8]],
        sigma: float,
        samples_per_image: int,
        seed: int = 0,
        first_sample: int = 0,
        purpose: Purpose = Purpose.PARITY,
        order: npt.NDArray[np.int64] | None = None,
    ) -> None:
        self._table, self._seed = LatticeGaussian(sigma).table, seed
        self._pixels = np.stack([image.reshape(-1) for image in images])
        if order is None:
            order = np.arange(len(images) * samples_per_image)
        self._slots = (order // samples_per_image).astype(np.int32)
        samples = order % samples_per_image + first_sample
        self._addresses = counters(samples, self._slots, purpose)

    def __len__(self) -> int:
        """Rows in all."""
        return len(self._slots)

    def logits(
        self, network: Network, ran: Callable[[int], None] | None = None
    ) -> Iterator[npt.NDArray[np.float32]]:
        """A network's logits on all rows, a batch at a time; each valid until the next.

        ran  is told how many rows a batch had, after each
        """
        sampler = RowSampler(self._table, self._seed, *network.spec.affine())
        batch = len(network.inputs)
        for start in range(0, len(self), batch):
            rows = slice(start, start + batch)
            own = np.ascontiguousarray(self._addresses[:, rows])
            sampler.fill(self._pixels, self._slots[rows], own, network.inputs)
            with opening("the network"):
                logits = network.run()
            if ran is not None:
                ran(own.shape[1])
            yield logits[: own.shape[1]]
