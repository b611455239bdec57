"""The composite against its parts, one after the other, on the same noisy images."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from smoothcert.engine.backends.base import aligned_zeros
from smoothcert.engine.backends.host.onnxruntime_network import OnnxRuntimeNetwork
from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.engine.models.model import Model, open_onnx
from smoothcert.export.agreement import Parity, check_float_noise, compare_votes, random_images
from smoothcert.export.composite.denoiser import Denoiser
from smoothcert.export.composite.options import Level
from smoothcert.export.composite.resizing import Between, weights
from smoothcert.export.precision.watching import ExportWatcher

_SAMPLES, _FEW = 32, 2
_BATCH = 8
_SLOW_SECONDS = 2.0
"""A batch that takes longer is of networks that are asked about fewer samples."""

_TOLERANCE = 1e-3
"""Of the logits' scale: what kernels that sum in another order explain, and more."""


class Parts:
    """A Network (backends/base.py): the denoiser as it is given, resizing in numpy, and the
    classifier's own file."""

    def __init__(
        self,
        denoiser: Denoiser,
        level: Level,
        classifier: Model,
        between: Between,
        batch: int,
    ) -> None:
        self.spec = InputSpec(*denoiser.shape)
        self.num_classes = classifier.num_classes
        self.inputs = aligned_zeros((batch, self.spec.num_pixels))
        self._denoiser, self._level = denoiser, level
        self._classifier = OnnxRuntimeNetwork(classifier, batch)
        taken = classifier.spec
        self._rows = weights(self.spec.height, taken.height, between).astype(np.float32)
        self._columns = weights(self.spec.width, taken.width, between).astype(np.float32)
        self._mean = np.reshape(taken.mean or (0.0,) * taken.channels, (-1, 1, 1))
        self._std = np.reshape(taken.std or (1.0,) * taken.channels, (-1, 1, 1))

    def run(self) -> npt.NDArray[np.float32]:
        """See Network.run."""
        level, denoiser = self._level, self._denoiser
        pixels = self.inputs.reshape(-1, *denoiser.shape)
        noisy = level.low + (level.high - level.low) * pixels
        scale = 1.0 if level.step is None else level.step.kept**0.5
        output = denoiser.run((scale * noisy).astype(np.float32))[:, : self.spec.channels]
        of_noisy, of_output = level.clean()
        image = of_noisy * noisy + of_output * output
        if level.step is not None:
            image = image.clip(level.low, level.high)
        seen = (image - level.low) / (level.high - level.low)
        resized = (self._rows @ seen @ self._columns.T - self._mean) / self._std
        np.copyto(self._classifier.inputs, resized.reshape(len(resized), -1), casting="same_kind")
        return self._classifier.run()

    def describe(self) -> dict[str, Any]:
        """See Network.describe."""
        return {"runtime": "the parts, one after the other"}


def check_parity(
    denoiser: Denoiser,
    level: Level,
    classifier: Model,
    between: Between,
    composite: Path,
    watcher: ExportWatcher,
) -> Parity:
    """Both on the same images of random pixels with the noise of that level; fewer samples of
    networks that are slow. Raises InputError unless they differ by float rounding only."""
    own = [size for size in (denoiser.batch, classifier.batch) if isinstance(size, int)]
    batch = own[0] if own else _BATCH
    parts = Parts(denoiser, level, classifier, between, batch)
    start = time.perf_counter()
    parts.run()
    samples = _SAMPLES if time.perf_counter() - start < _SLOW_SECONDS else _FEW
    runtime = OnnxRuntimeNetwork(open_onnx(composite), batch)
    images = random_images(denoiser.shape)
    watcher.stage("comparing votes with the two", len(images) * samples)
    parity = compare_votes(parts, runtime, images, level.sigma, samples, ran=watcher.ran)
    check_float_noise(
        parity,
        "the composite disagrees with its parts",
        f"denoiser {denoiser.name}",
        _TOLERANCE,
    )
    return parity
