"""PyTorch modules as device networks, recorded into one CUDA graph.

Torch owns the memory inside the network and plans it for graphs itself, so it records them; inputs
and logits are the backend's buffers, which torch only looks at.
"""

import contextlib
import ctypes
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import torch

from smoothcert.engine.backends.device.tuning import Tuning
from smoothcert.engine.backends.torch_graph.fuse import fused_counts
from smoothcert.engine.backends.torch_graph.lower import SCALARS
from smoothcert.engine.base.errors import DeviceMemoryError, InputError, one_line
from smoothcert.engine.base.input_spec import InputSpec, precision_of

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

    module         classifies [B, C, H, W] of `spec` in `scalar`; in eval mode and on `device`, and
                   run as it is
    channels_last  images of three channels come channels last
    device         "cuda", "cuda:1"; or "cpu", where runs are done at once instead of on a stream
    tune_over      what makes modules of the same function, by name: bind measures them, with and
                   without cudnn.benchmark, and takes the fastest in place of `module`
    notes          further entries of describe()

    Without tune_over cuDNN's own rules choose the kernels (cudnn.benchmark is off, whatever the
    process has set), so that they are the same in every process. Raises InputError where the
    output is not [B, num_classes], DeviceMemoryError where the device has no room.
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
        tune_over: Mapping[str, Callable[[], torch.nn.Module]] | None = None,
        notes: Mapping[str, Any] | None = None,
    ) -> None:
        self.spec, self.num_classes, self.batch_size = spec, num_classes, batch
        self.input_scalar = self.logits_scalar = scalar
        self.input_layout = "nhwc3" if channels_last and spec.channels == 3 else "nchw"
        self._device = torch.device(device)
        self._module = module
        self._benchmark = False
        self._tune_over = tune_over
        self._tuning: Tuning | None = None
        self._notes = dict(notes or {})
        self._pool: Any = None
        self._graphs: list[Any] = []
        self._inputs: list[torch.Tensor] = []

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
            self.wait_for_caller()  # who may have put the weights there just now
        if self._tune_over is not None:
            self._tune(self._tune_over)

    def _at(self, pointer: int, shape: tuple[int, ...]) -> torch.Tensor:
        return tensor_at(pointer, shape, self.input_scalar, self._device)

    def enqueue(self, buffer: int) -> None:
        """See DeviceNetwork."""
        with torch.inference_mode(), torch.cuda.stream(self._stream), self._kernels():
            try:
                logits = self._module(self._inputs[buffer])
            except torch.OutOfMemoryError as error:
                reason = one_line(error)
                raise DeviceMemoryError(
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

    @contextlib.contextmanager
    def _kernels(self) -> Iterator[None]:
        """Which kernels cuDNN takes: by its rules, or (tuned) the fastest of all it has."""
        before = torch.backends.cudnn.benchmark
        torch.backends.cudnn.benchmark = self._benchmark
        try:
            yield
        finally:
            torch.backends.cudnn.benchmark = before

    def _tune(self, variants: Mapping[str, Callable[[], torch.nn.Module]]) -> None:
        """Take the fastest variant, each launched as batches will be."""
        tuning = Tuning(self.batch_size)
        for name, make in variants.items():
            with tuning.trying(name):
                self._module = make()
                for self._benchmark in (False, True):
                    title = f"{name}, cudnn.benchmark" if self._benchmark else name
                    with tuning.trying(title):
                        taken = (self._module, self._benchmark)
                        tuning.measure(title, taken, *self._launch())
        self._module, self._benchmark = tuning.best()
        self._tuning = tuning

    def _launch(self) -> tuple[Callable[[], None], Callable[[], None]]:
        """What launches one batch (a recorded graph, on a GPU), and what waits for all of them."""
        for buffer in range(len(self._inputs)):  # what is compiled and chosen at the first run
            self.enqueue(buffer)
        if self._stream is None:
            return lambda: self.enqueue(0), lambda: None
        self._stream.synchronize()
        graph = self._record(lambda: self.enqueue(0), None)
        return partial(self._replay, graph), self._stream.synchronize

    def _record(self, work: Callable[[], None], pool: Any) -> Any:
        graph = torch.cuda.CUDAGraph()
        before = torch.cuda.current_stream(self._device)
        try:
            with torch.cuda.graph(graph, pool=pool, stream=self._stream):
                work()
        except torch.OutOfMemoryError as error:
            reason = one_line(error)
            raise DeviceMemoryError(
                f"the device has no room for a graph of a batch of {self.batch_size} ({reason}): "
                "expected a smaller --batch"
            ) from None
        finally:
            torch.cuda.set_stream(before)  # which a recording that failed leaves as it was inside
        return graph

    def capture(self, work: Callable[[], None]) -> Callable[[], None]:
        """See CapturingNetwork."""
        if self._stream is None:
            raise RuntimeError("torch records graphs on a CUDA device only")
        # Graphs of one stream replay one after the other: they may share their memory.
        graph = self._record(work, self._pool)
        self._pool = self._pool or graph.pool()
        self._graphs.append(graph)
        return partial(self._replay, graph)

    def _replay(self, graph: Any) -> None:
        with torch.cuda.stream(self._stream):
            graph.replay()

    def wait_for_caller(self) -> None:
        """Let the next runs wait for what the caller's own stream holds now, so that they see
        weights that it has just changed."""
        if self._stream is not None:
            self._stream.wait_stream(torch.cuda.current_stream(self._device))

    def close(self) -> None:
        """Let go of the module and of what was recorded."""
        self._graphs.clear()
        self._inputs.clear()
        del self._module

    def describe(self) -> dict[str, Any]:
        """See DeviceNetwork."""
        fused, apart = fused_counts(self._module)
        described = {
            "runtime": f"torch {torch.__version__}",
            "precision": precision_of(self.input_scalar),
            "layout": self.input_layout,
            "tf32": bool(torch.backends.cudnn.allow_tf32),
            "convolutions": {"fused": fused, "apart": apart},
            **self._notes,
        }
        return described | (self._tuning.describe() if self._tuning else {})
