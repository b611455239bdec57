"""What a user would write on a GPU: torch.compile in float16, noise and counts on the device."""

import contextlib
import copy
import time
from collections.abc import Callable, Iterator

import torch

_BATCHES_PER_WAIT = 16


class CompiledLoop:
    """A Loop (rounds.py): float16, channels last, cudnn.benchmark, torch.compile with graphs
    (mode "reduce-overhead"), its own randn, argmax and counting, without a wait in between.

    module  in eval mode; a copy is made, and runs as `network` on `inputs` and noise
    device  a GPU; on a CPU nothing is compiled, so that the loop can be tested there
    """

    def __init__(
        self,
        name: str,
        module: torch.nn.Module,
        shape: tuple[int, int, int],
        classes: int,
        sigma: float,
        batch: int,
        device: str,
    ) -> None:
        self.name = name
        self._device, self._batch, self._sigma = torch.device(device), batch, sigma
        half = copy.deepcopy(module).eval().half().to(self._device)
        # Keyword arguments of `to` mean the memory format alone: torch's stubs want them apart.
        half = half.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.network: Callable[[torch.Tensor], torch.Tensor] = half
        if self._device.type == "cuda":
            self.network = torch.compile(half, mode="reduce-overhead")
        generator = torch.Generator().manual_seed(0)
        image = torch.rand(shape, generator=generator).half().to(self._device)
        copies = image.expand(batch, *shape)
        self.inputs = copies.contiguous(memory_format=torch.channels_last)
        self._ones = torch.ones(batch, dtype=torch.int64, device=self._device)
        self.counts = torch.zeros(classes, dtype=torch.int64, device=self._device)

    def warm(self, seconds: float) -> None:
        """See Loop.warm; the first call compiles."""
        self.run(seconds)

    def run(self, seconds: float) -> tuple[int, float]:
        """See Loop.run."""
        samples, start = 0, time.perf_counter()
        with torch.inference_mode(), _fastest_kernels():
            while True:
                for _ in range(_BATCHES_PER_WAIT if self._device.type == "cuda" else 1):
                    self._one_batch()
                    samples += self._batch
                self.counts.cpu()  # waits
                elapsed = time.perf_counter() - start
                if elapsed >= seconds:
                    return samples, elapsed

    def _one_batch(self) -> None:
        noise = torch.randn_like(self.inputs) * self._sigma
        classes = self.network(self.inputs + noise).argmax(1)
        self.counts.index_add_(0, classes, self._ones)


@contextlib.contextmanager
def _fastest_kernels() -> Iterator[None]:
    before = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = True
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before
