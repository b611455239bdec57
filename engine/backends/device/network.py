"""The network protocol of the device backend: a classifier that runs on buffers in device memory.

A device backend makes one stream and all buffers, binds the network to them once, and from then on
only enqueues: noise into an input buffer, the network, votes from the logits. Nothing is copied and
nothing waits. TensorRT, ONNX Runtime and PyTorch implement this, one file each.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, runtime_checkable

from smoothcert.engine.base.input_spec import InputSpec

_INPUT_BYTES = 80 * 2**20
_SMALLEST, _LARGEST = 32, 2048


class DeviceNetwork(Protocol):
    """A classifier on a device with a static batch.

    Its input is [B, C, H, W] of `input_scalar`, in memory as `input_layout` says; its logits are
    [B, K] of `logits_scalar`, contiguous. Row r of the logits depends on row r of the input alone.
    """

    spec: InputSpec
    num_classes: int
    batch_size: int
    """B: every run is of so many rows."""
    input_scalar: str
    """A key of SCALAR_BYTES."""
    input_layout: str
    """A key of smoothcert.cupy_kernels.loader.LAYOUTS: "nchw", "nhwc3", ..."""
    logits_scalar: str
    """A key of SCALAR_BYTES."""
    capturable: bool
    """Whether enqueue, once it has run, may be recorded into a CUDA graph and replayed."""

    def bind(self, inputs: Sequence[int], logits: int, stream: int) -> None:
        """Take the buffers: called once, before anything else.

        inputs  addresses of one or more input buffers in device memory, 256-byte aligned
        logits  address of the one logits buffer
        stream  address (cudaStream_t) of the stream that all runs are enqueued on, not the default
                stream; where the network is captured, this stream is
        """
        ...

    def enqueue(self, buffer: int) -> None:
        """Queue a run on the bound stream: inputs[buffer] -> logits. Does not wait for it.

        The first call for a buffer is outside any capture (warm-up) and may allocate; later ones
        must not. Raises RuntimeError where the run cannot be queued; inside a capture the backend
        then gives up the graph, and goes on without. Raises DeviceMemoryError where the device has
        no room for it, as bind may too.
        """
        ...

    def close(self) -> None:
        """Let go of everything that uses the buffers and the stream, which outlive it; nothing else
        is called afterwards."""
        ...

    def describe(self) -> dict[str, Any]:
        """What the manifest records: at least `runtime` ("name version") and `precision`."""
        ...


@runtime_checkable
class CapturingNetwork(DeviceNetwork, Protocol):
    """A network that must record graphs itself, because it plans memory for them (PyTorch)."""

    def capture(self, work: Callable[[], None]) -> Callable[[], None]:
        """Record what `work` enqueues on the bound stream; returns what replays it there.

        Raises RuntimeError where it cannot be recorded; the stream is then usable as before.
        """
        ...


def input_elements(network: DeviceNetwork) -> int:
    """Numbers in one input buffer, padding channels included."""
    _, _, padded = network.input_layout.partition("_pad")
    channels = int(padded) if padded else network.spec.channels
    return network.batch_size * channels * network.spec.height * network.spec.width


def default_batch(row_bytes: int) -> int:
    """The largest power of two, 32 .. 2,048, whose input takes at most 80 MiB.

    A rule, not a measurement: 256 for ImageNet in half precision.
    """
    fitting = max(_INPUT_BYTES // row_bytes, 1)
    return int(min(max(1 << (fitting.bit_length() - 1), _SMALLEST), _LARGEST))
