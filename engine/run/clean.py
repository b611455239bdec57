"""Clean predictions: what the base classifier says of images as they are, without noise."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from smoothcert.engine.backends.base import AUTO, Backend, Compute, Rows, runtime_name
from smoothcert.engine.backends.host.runtimes import HOST_RUNTIMES
from smoothcert.engine.backends.opening import open_backend
from smoothcert.engine.noise.lattice import LatticeGaussian
from smoothcert.engine.noise.streams import Purpose
from smoothcert.engine.run.execution import Job
from smoothcert.engine.run.processes import devices_of
from smoothcert.engine.sources.base import FailedImage, ImageSource, LabelledImage
from smoothcert.engine.sources.reading import decoded_ahead

NO_NOISE = LatticeGaussian(2e-4)
"""A Gaussian so narrow that a pixel's first step is 9.8 standard deviations away: of 64 uniform
bits all but one value of the 2^64 draw N = 0. So a backend gives clean predictions as it gives
votes, on whatever device, by the code that certifies."""

_SEED = 0  # of noise that is none


@dataclass(frozen=True)
class CleanPrediction:
    """The class of an image without noise; NO_VOTE where its logits are not finite."""

    index: int
    label: int
    predict: int

    @property
    def correct(self) -> bool:
        """Whether it is the label."""
        return self.predict == self.label >= 0


@dataclass
class CleanPredictions:
    """The clean predictions of a job's model, from a backend of its own; a context manager.

    compute  see clean_compute
    failed   (attribute) the images that could not be read, which have no prediction
    """

    job: Job
    compute: Compute
    failed: list[FailedImage] = field(default_factory=list)

    def __enter__(self) -> "CleanPredictions":
        self._backend: Backend = open_backend(self.job.model, NO_NOISE, _SEED, self.compute)
        return self

    def __exit__(self, *error: object) -> None:
        self._backend.close()

    def of(self, source: ImageSource, indices: Iterable[int]) -> Iterator[CleanPrediction]:
        """The predictions, in the order of the indices."""
        most = min(self._backend.batch_size, self._backend.num_slots)
        images = decoded_ahead(source, indices, on_failure=self.failed.append)
        batch: list[LabelledImage] = []
        try:
            for image in images:
                batch.append(image)
                if len(batch) == most:
                    yield from self._of_batch(batch)
                    batch = []
            if batch:
                yield from self._of_batch(batch)
        finally:
            images.close()

    def _of_batch(self, images: list[LabelledImage]) -> list[CleanPrediction]:
        for slot, image in enumerate(images):
            self._backend.place(slot, image.index, image.pixels)
        count = len(images)
        samples = np.zeros(count, np.uint32)
        purposes = np.full(count, Purpose.PREDICTION, np.uint32)
        self._backend.submit(Rows(np.arange(count, dtype=np.int32), samples, purposes))
        votes = self._backend.collect()
        return [
            CleanPrediction(image.index, image.label, int(vote))
            for image, vote in zip(images, votes, strict=True)
        ]

    def describe(self) -> dict[str, Any]:
        """What computed them, which decides them where two classes are nearly tied."""
        described = self._backend.describe()
        return {
            "backend": runtime_name(described),
            "device": self.compute.device.partition(":")[0],
            "precision": described.get("precision", self.job.model.precision),
        }


def clean_compute(compute: Compute, *, on_cluster: bool) -> Compute:
    """How this process predicts for a run that computes so: on the first of its devices. For a run
    on a cluster it is the CPU that is here, whatever the workers have. What `precision` leaves to
    be measured is the model's own."""
    precision = None if compute.precision == AUTO else compute.precision
    if not on_cluster:
        device = devices_of(compute.device)[0]
        return replace(compute, device=device, precision=precision, tune=False)
    backend = compute.backend if compute.backend in HOST_RUNTIMES else AUTO
    return Compute(
        backend=backend,
        precision=precision if compute.device == "cpu" else None,
        batch=compute.batch,
    )
