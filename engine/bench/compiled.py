"""What a user would write today: torch.compile, noise, argmax and counts on torch's device."""

import contextlib
import copy
import time
from collections.abc import Callable, Collection, Iterator

import torch

from smoothcert.engine.base.errors import InputError, one_line
from smoothcert.engine.base.input_spec import PRECISIONS

_BATCHES_PER_WAIT = 16
_BF16_INSTRUCTIONS = frozenset({"avx512_bf16", "amx_bf16"})
_HOST_BATCHES = (32, 8, 128)
_TRIALS, _TRIAL_SECONDS = 2, 0.1
_CLEARLY = 1.03
_HINT = "Set TORCHDYNAMO_VERBOSE"  # of torch to its developers, after what went wrong


class NoCompiledLoopError(InputError):
    """torch.compile does not work here, or not for this network."""


def rival_precision(precision: str, device: str, flags: Collection[str]) -> str:
    """The precision in which torch.compile is the rival of a run in `precision`: the same, and
    where it has none (int8, fp8; float16 on a CPU) the best of floating point that this device has.

    flags  the processor's instruction sets (machine.processor_flags)
    """
    if precision in ("fp32", "bf16"):
        return precision
    if device != "cpu":
        return "fp16"
    return "bf16" if _BF16_INSTRUCTIONS & set(flags) else "fp32"


class CompiledLoop:
    """A Loop (rounds.py): torch.compile in channels last, its own randn, argmax and counting,
    without a wait in between. On a GPU with graphs (mode "reduce-overhead") and cudnn.benchmark, on
    a CPU with the weights frozen into the code. Weights, images and noise all have the precision.

    module     in eval mode; a copy is made, and runs as `network` on `inputs` and noise
    precision  fp32, bf16 or fp16
    The first `warm` compiles, and raises whatever torch does where it cannot.
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
        precision: str = "fp16",
    ) -> None:
        self.name, self.batch, self.precision = name, batch, precision
        self._device, self._sigma = torch.device(device), sigma
        self._on_gpu, self._compiled = self._device.type == "cuda", False
        dtype = getattr(torch, PRECISIONS[precision])
        own = copy.deepcopy(module).eval().to(self._device, dtype)
        # Keyword arguments of `to` mean the memory format alone: torch's stubs want them apart.
        own = own.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        mode = "reduce-overhead" if self._on_gpu else None
        self.network: Callable[[torch.Tensor], torch.Tensor] = torch.compile(
            own, mode=mode, dynamic=False
        )
        generator = torch.Generator().manual_seed(0)
        image = torch.rand(shape, generator=generator).to(self._device, dtype)
        copies = image.expand(batch, *shape)
        self.inputs = copies.contiguous(memory_format=torch.channels_last)
        self._ones = torch.ones(batch, dtype=torch.int64, device=self._device)
        self.counts = torch.zeros(classes, dtype=torch.int64, device=self._device)

    def warm(self, seconds: float) -> None:
        """See Loop.warm; the first call compiles."""
        with _frozen() if not (self._compiled or self._on_gpu) else contextlib.nullcontext():
            self.run(seconds)
        self._compiled = True

    def run(self, seconds: float) -> tuple[int, float]:
        """See Loop.run."""
        samples, start = 0, time.perf_counter()
        with torch.inference_mode(), _fastest_kernels():
            while True:
                for _ in range(_BATCHES_PER_WAIT if self._on_gpu else 1):
                    self._one_batch()
                    samples += self.batch
                self.counts.cpu()  # waits
                elapsed = time.perf_counter() - start
                if elapsed >= seconds:
                    return samples, elapsed

    def _one_batch(self) -> None:
        noise = torch.randn_like(self.inputs) * self._sigma
        classes = self.network(self.inputs + noise).argmax(1)
        self.counts.index_add_(0, classes, self._ones)


def fastest_compiled(
    module: torch.nn.Module,
    shape: tuple[int, int, int],
    classes: int,
    sigma: float,
    batch: int,
    device: str,
    precision: str,
    seconds: float,
) -> CompiledLoop:
    """A CompiledLoop named "compiled", ready to run, at the batch that is fastest for it.

    On a GPU that is `batch`. On a CPU a few others are tried as well, each compiled for itself:
    one more as long as it would end within `seconds`, taking as long as the one before.
    Raises NoCompiledLoopError where torch.compile does not work at `batch`.
    """
    sizes = dict.fromkeys((batch, *(_HOST_BATCHES if device == "cpu" else ())))
    found: list[tuple[float, CompiledLoop]] = []
    begin = last = time.perf_counter()
    for size in sizes:
        now = time.perf_counter()
        if found and now - begin + (now - last) > seconds:
            break
        last = now
        loop = CompiledLoop("compiled", module, shape, classes, sigma, size, device, precision)
        try:
            loop.warm(0.0)
        except Exception as error:  # whatever a compiler raises, and not torch's alone
            if found:
                break
            raise NoCompiledLoopError(
                "torch.compile does not work here (on a CPU it needs a C++ compiler, such as g++, "
                f"and Python's headers): {one_line(str(error).partition(_HINT)[0])}"
            ) from None
        found.append((_rate(loop), loop))
    return max(found, key=lambda each: each[0] * (_CLEARLY if each[1].batch == batch else 1.0))[1]


def _rate(loop: CompiledLoop) -> float:
    runs = (loop.run(_TRIAL_SECONDS) for _ in range(_TRIALS))
    return max(samples / elapsed for samples, elapsed in runs)


@contextlib.contextmanager
def _frozen() -> Iterator[None]:
    """Weights are constants of what is compiled meanwhile (a setting of the whole process)."""
    from torch._inductor import config

    with config.patch(freezing=True):
        yield


@contextlib.contextmanager
def _fastest_kernels() -> Iterator[None]:
    before = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = True
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before
