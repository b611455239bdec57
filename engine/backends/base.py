"""The backend protocol: a deterministic function from rows to votes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from smoothcert.engine.base.input_spec import InputSpec

AUTO = "auto"

PASSED_OVER = "passed_over"
"""The entry of a backend's description that says why auto took nothing faster: name -> reason."""

ROW_INDEPENDENCE = "row_independence"
"""The entry that says how it is known that a row's vote depends on its row alone: what
independence.Independence.describe returns."""

NO_VOTE = -1
"""The vote of a row whose logits are not all finite: it counts for no class."""

_ALIGNMENT = 64


@dataclass(frozen=True)
class Rows:
    """What one batch is to classify: row r is sample `samples[r]` of the image in `slots[r]`.

    slots int32 [n], samples uint32 [n], purposes uint32 [n]
    """

    slots: npt.NDArray[np.int32]
    samples: npt.NDArray[np.uint32]
    purposes: npt.NDArray[np.uint32]

    def __len__(self) -> int:
        """The number of rows."""
        return len(self.slots)


class Backend(Protocol):
    """Fused add-and-infer: resident images and rows in, the class of each row out.

    The vote of a row is a function of (seed, image, image id, sample, purpose) alone: the batch
    shape is static, a short batch is padded and its padding ignored, and the position of a row
    never matters.
    """

    spec: InputSpec
    num_classes: int
    batch_size: int
    """The most rows of one batch."""
    num_slots: int
    """Images that can be resident at a time."""
    depth: int
    """Batches that may be submitted before the oldest is collected."""
    stage_seconds: dict[str, float]
    """Seconds spent so far by stage: `noise`, `network`, `vote`; empty where no clock tells them
    apart (on a device)."""

    def place(self, slot: int, image_id: int, image: npt.NDArray[np.uint8]) -> None:
        """Make an image (uint8 [C, H, W]) resident; its slot must have no rows in flight."""
        ...

    def submit(self, rows: Rows) -> None:
        """Start classifying 1 .. batch_size rows."""
        ...

    def collect(self) -> npt.NDArray[np.int32]:
        """The votes of the oldest submitted batch: int32 [its rows], NO_VOTE or a class."""
        ...

    def run_network(self, times: int = 1) -> None:
        """Run the network alone, so many times on a full batch of whatever its input holds, and
        wait for the last: for `smoothcert bench`."""
        ...

    def describe(self) -> dict[str, Any]:
        """What the manifest records about this session: runtime, batch, threads, device."""
        ...

    def close(self) -> None:
        """Let go of its memory, after which nothing else may be called; also more than once."""
        ...


class LogitsBackend(Backend, Protocol):
    """A Backend of one network, which can be asked what its votes come from."""

    def logits(self, rows: Rows) -> npt.NDArray[np.float32]:
        """The logits of 1 .. batch_size rows, float32 [its rows, K], with nothing else in flight:
        for checks."""
        ...

    def note(self, name: str, value: Any) -> None:
        """Add an entry to what describe returns."""
        ...


@dataclass(frozen=True, kw_only=True)
class Compute:
    """How a model is run. `backend`, `precision` and the kind of device (and the model) decide its
    votes; `batch` and `threads` only how fast they come.

    backend    one of opening.BACKENDS. On a CPU, auto takes the fastest, measured once per model
               and machine. On a GPU, "tensorrt" builds an engine, once per GPU and model; "torch"
               runs a checkpoint's module, or an ONNX graph, with cuDNN's fused operations;
               "onnxruntime" takes its CUDA provider; auto is the first of these that can be had
    device     cpu, or a GPU: cuda:0
    precision  None for the model's own; bf16, and fp16 on a GPU, run an fp32 model so; AUTO is
               the model's own on a CPU, and on a GPU half precision where the model bears it
    batch      rows per batch; None measures the fastest once per model and machine (on a GPU: a
               rule by the input's size, halved until it fits)
    threads    cores to use; None for all usable ones
    tune       on a GPU: measure several ways to run the network and take the fastest (TensorRT
               does so when it builds); its kernels may differ from one process to the next, and
               votes by rounding with them
    """

    backend: str = AUTO
    device: str = "cpu"
    precision: str | None = None
    batch: int | None = None
    threads: int | None = None
    tune: bool = False


def runtime_name(described: Mapping[str, Any]) -> str:
    """The backend's name out of what Backend.describe returned: `runtime` without its version."""
    return str(described["runtime"]).partition(" ")[0]


class Network(Protocol):
    """A classifier on the CPU with a static batch: what a host backend feeds.

    The caller fills `inputs` (float32 [B, pixels], CHW order) and calls run.
    """

    spec: InputSpec
    num_classes: int
    inputs: npt.NDArray[np.float32]

    def run(self) -> npt.NDArray[np.float32]:
        """The logits, float32 [B, K], of what `inputs` holds; valid until the next run."""
        ...

    def describe(self) -> dict[str, Any]:
        """The runtime's name, version and settings."""
        ...


def votes_of(logits: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.int32]:
    """The class of each row of logits [n, K]: the largest logit, ties to the lowest class;
    NO_VOTE for a row that is not finite throughout. int32 [n]."""
    votes: npt.NDArray[np.int32] = logits.argmax(axis=1).astype(np.int32)
    # One reduction in the usual case that everything is finite.
    if not np.isfinite(logits).all():
        votes[~np.isfinite(logits).all(axis=1)] = NO_VOTE
    return votes


def aligned_zeros(shape: tuple[int, ...], dtype: type = np.float32) -> npt.NDArray[Any]:
    """Zeros on a cache-line boundary, as runtimes and vector stores like them."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    raw = np.zeros(size + _ALIGNMENT, np.uint8)
    offset = -raw.ctypes.data % _ALIGNMENT
    return raw[offset : offset + size].view(dtype).reshape(shape)
