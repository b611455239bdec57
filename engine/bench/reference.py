"""The loop that Cohen, Rosenfeld, Kolter 2019 describe, in torch: what certification is today."""

import math
import time

import numpy as np
import numpy.typing as npt
import torch

ORIGINAL_BATCH = 1000
"""The batch that the original command has by default."""

_SMALL_BATCH = 8
# Per sample, a large batch was seen to take 1.9 times as long as a small one, which stays in a
# cache (benchmarks/results/cpu.md: ResNet-50).
_SLOWER_WHEN_LARGE = 2


def original_counts(
    module: torch.nn.Module, x: torch.Tensor, num: int, sigma: float, batch: int, classes: int
) -> npt.NDArray[np.int64]:
    """Class counts of num noisy copies of the image x: repeat it, draw randn, add, run, argmax,
    and count the classes one by one in Python, as the original does. int64 [classes]."""
    counts = np.zeros(classes, np.int64)
    with torch.no_grad():
        while num > 0:
            this = min(batch, num)
            num -= this
            copies = x.repeat((this, 1, 1, 1))
            noise = torch.randn_like(copies) * sigma
            for predicted in module(copies + noise).argmax(1).cpu().numpy():
                counts[predicted] += 1
    return counts


class ReferenceLoop:
    """The original's loop on one image, batch after batch, in float32.

    The normalising layer that the original puts before a network is left out, in its favour.
    module  in eval mode, on `device`
    """

    def __init__(
        self,
        name: str,
        module: torch.nn.Module,
        shape: tuple[int, int, int],
        classes: int,
        sigma: float,
        batch: int,
        device: str = "cpu",
    ) -> None:
        self.name = name
        self._module, self._classes = module.eval().to(device), classes
        self._sigma, self.batch = sigma, batch
        generator = torch.Generator().manual_seed(0)
        self._x = torch.rand(shape, generator=generator).to(device)

    def warm(self, seconds: float) -> None:
        """See Loop.warm: in small batches, because one of 1,000 may take a minute."""
        self._work(seconds, min(self.batch, _SMALL_BATCH))

    def batch_within(self, seconds: float) -> int:
        """The batch, or the largest power of two below it, of which a step should take at most
        `seconds`; at least 1."""
        self.warm(0.0)
        samples, elapsed = self._work(0.0, min(self.batch, _SMALL_BATCH))
        fitting = seconds * samples / (elapsed * _SLOWER_WHEN_LARGE)
        if fitting >= self.batch:
            return self.batch
        return 1 << math.floor(math.log2(max(fitting, 1.0)))

    def run(self, seconds: float) -> tuple[int, float]:
        """See Loop.run."""
        return self._work(seconds, self.batch)

    def _work(self, seconds: float, batch: int) -> tuple[int, float]:
        samples, start = 0, time.perf_counter()
        while True:
            original_counts(self._module, self._x, batch, self._sigma, batch, self._classes)
            samples += batch
            elapsed = time.perf_counter() - start
            if elapsed >= seconds:
                return samples, elapsed
