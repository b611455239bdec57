"""PyTorch modules as device networks: eager kernels, recorded into one CUDA graph.

Torch owns the memory inside the network and plans it for graphs itself, so it records them; inputs
and logits are the backend's buffers, which torch only looks at.
"""

import copy
import ctypes
from collections.abc import Callable, Sequence
from typing import Any

import torch

from smoothcert.engine.base.errors import InputError, one_line
from smoothcert.engine.base.input_spec import InputSpec

SCALARS = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
_BITS = {"float32": "<f4", "float16": "<f2", "bfloat16": "<i2"}  # as numpy, which has no bfloat16


class _Memory:
    """Device memory as the CUDA array interface describes it."""

    def __init__(self, pointer: int, shape: tuple[int, ...], scalar: str) -> None:
        self.__cuda_array_interface__ = {
            "shape": shape,
            "typestr": _BITS[scalar],
            "data": (pointer, False),
            "strides": None,
            "version": 3,
        }


def tensor_at(
    pointer: int, shape: tuple[int, ...], scalar: str, device: torch.device
) -> torch.Tensor:
    """The contiguous tensor at an address on a device; the memory stays its owner's."""
    dtype = SCALARS[scalar]
    if device.type == "cpu":
        size = int(torch.Size(shape).numel()) * dtype.itemsize
        memory = (ctypes.c_uint8 * size).from_address(pointer)
        return torch.frombuffer(memory, dtype=dtype).view(shape)
    return torch.as_tensor(_Memory(pointer, shape, scalar), device=device).view(dtype)


class TorchDeviceNetwork:
    """A CapturingNetwork (network.py) around an nn.Module.

    module         classifies [B, C, H, W] of `spec`; run in eval mode, as the original code does
    scalar         what it computes in: float32 runs the module as it is, a half type a copy of it
    channels_last  images of three channels are laid out channels last, which halves like
    device         "cuda", "cuda:1"; or "cpu", where runs are done at once instead of on a stream

    Raises InputError where the output is not [B, num_classes] or the device has no room.
    """

    capturable = True

    def __init__(
        self,
        module: torch.nn.Module,
        spec: InputSpec,
        num_classes: int,
        batch: int,
        *,
        scalar: str = "float32",
        channels_last: bool = False,
        device: str = "cuda",
    ) -> None:
        self.spec, self.num_classes, self.batch_size = spec, num_classes, batch
        self.input_scalar = self.logits_scalar = scalar
        last = channels_last and spec.channels == 3
        self.input_layout = "nhwc3" if last else "nchw"
        self._device = torch.device(device)
        if scalar != "float32":
            module = copy.deepcopy(module).to(SCALARS[scalar])
        module = module.eval().to(self._device)
        # Keyword arguments of `to` mean the memory format alone: torch's stubs want them apart.
        self._module = module.to(memory_format=torch.channels_last) if last else module  # type: ignore[call-overload]
        self._pool: Any = None
        self._graphs: list[Any] = []

    def bind(self, inputs: Sequence[int], logits: int, stream: int) -> None:
        """See DeviceNetwork."""
        shape = (self.batch_size, *self.spec.shape)
        if self.input_layout == "nhwc3":
            channels, height, width = self.spec.shape
            last = (self.batch_size, height, width, channels)
            self._inputs = [self._at(pointer, last).permute(0, 3, 1, 2) for pointer in inputs]
        else:
            self._inputs = [self._at(pointer, shape) for pointer in inputs]
        self._logits = self._at(logits, (self.batch_size, self.num_classes))
        self._stream: Any = None
        if self._device.type == "cuda":
            external: Any = torch.cuda.ExternalStream  # its constructor carries no types
            self._stream = external(stream, device=self._device)

    def _at(self, pointer: int, shape: tuple[int, ...]) -> torch.Tensor:
        return tensor_at(pointer, shape, self.input_scalar, self._device)

    def enqueue(self, buffer: int) -> None:
        """See DeviceNetwork."""
        with torch.inference_mode(), torch.cuda.stream(self._stream):
            try:
                logits = self._module(self._inputs[buffer])
            except torch.OutOfMemoryError as error:
                reason = one_line(error)
                raise InputError(
                    f"the device has no room for a batch of {self.batch_size} ({reason}): expected "
                    "a smaller --batch"
                ) from None
            if not isinstance(logits, torch.Tensor) or logits.shape != self._logits.shape:
                shape = tuple(logits.shape) if isinstance(logits, torch.Tensor) else type(logits)
                raise InputError(
                    f"the base classifier returned {shape} for a batch of {self.batch_size} images:"
                    f" expected logits of shape {tuple(self._logits.shape)}; check num_classes"
                )
            self._logits.copy_(logits)

    def capture(self, work: Callable[[], None]) -> Callable[[], None]:
        """See CapturingNetwork."""
        if self._stream is None:
            raise RuntimeError("torch records graphs on a CUDA device only")
        graph = torch.cuda.CUDAGraph()
        before = torch.cuda.current_stream(self._device)
        try:
            # Graphs of one stream replay one after the other: they may share their memory.
            with torch.cuda.graph(graph, pool=self._pool, stream=self._stream):
                work()
        finally:
            torch.cuda.set_stream(before)  # which a recording that failed leaves as it was inside
        self._pool = self._pool or graph.pool()
        self._graphs.append(graph)
        stream = self._stream

        def replay() -> None:
            with torch.cuda.stream(stream):
                graph.replay()

        return replay

    def describe(self) -> dict[str, Any]:
        """See DeviceNetwork."""
        precision = {"float32": "fp32", "float16": "fp16", "bfloat16": "bf16"}
        return {
            "runtime": f"torch {torch.__version__}",
            "precision": precision[self.input_scalar],
            "layout": self.input_layout,
            "tf32": bool(torch.backends.cudnn.allow_tf32),
        }
