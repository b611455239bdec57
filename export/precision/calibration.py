"""Calibration data: noisy images, as the network will see them when it is certified."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.engine.noise.lattice import LatticeGaussian
from smoothcert.engine.noise.sampler import RowSampler
from smoothcert.engine.noise.streams import Purpose, counters
from smoothcert.engine.sources.base import ImageSource, said_of


@dataclass(frozen=True)
class Calibration:
    """Images and the noise level at which the network will be certified.

    images uint8 [C, H, W] each; samples noisy copies of each. The noise is the calibration stream
    of the noise law: never a certificate's, whatever its seed. `said` is what was inferred to read
    them, a sentence each.
    """

    images: list[npt.NDArray[np.uint8]]
    sigma: float
    samples: int = 4
    said: tuple[str, ...] = ()

    @classmethod
    def of_source(cls, source: ImageSource, sigma: float, images: int) -> "Calibration":
        """`images` images spread evenly over a source (all of a smaller one)."""
        if images < 1:
            raise InputError(f"{images} calibration images are too few: expected at least 1")
        count = min(images, len(source))
        chosen = [i * len(source) // count for i in range(count)]
        name = source.describe()["name"]
        said = tuple(f"{name}: {sentence}" for sentence in said_of(source))
        return cls([source.image(i) for i in chosen], LatticeGaussian(sigma).sigma, said=said)

    def batches(self, spec: InputSpec) -> Iterator[npt.NDArray[np.float32]]:
        """The network's inputs, float32 [samples, C, H, W], one batch per image."""
        sampler = RowSampler(LatticeGaussian(self.sigma).table, 0, *spec.affine())
        inputs = np.empty((self.samples, spec.num_pixels), np.float32)
        slots = np.zeros(self.samples, np.int32)
        for number, image in enumerate(self.images):
            addresses = counters(np.arange(self.samples), number, Purpose.CALIBRATION)
            sampler.fill(image.reshape(1, -1), slots, addresses, inputs)
            yield inputs.reshape(self.samples, *spec.shape).copy()
