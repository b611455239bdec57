"""What the noise kernel must write, from the CPU sampler, and how the tests launch it."""

from dataclasses import dataclass

import ml_dtypes
import numpy as np
import numpy.typing as npt
from host_runtime import HostRuntime

from smoothcert.cupy_kernels import loader
from smoothcert.engine.noise.sampler import RowSampler
from smoothcert.engine.noise.streams import REFINEMENT
from smoothcert.engine.noise.table import NoiseTable

SCALAR_TYPES = {
    "float32": np.dtype(np.float32),
    "float16": np.dtype(np.float16),
    "bfloat16": np.dtype(ml_dtypes.bfloat16),
}
LAYOUT_CHANNELS = {  # of the image, of a position in memory
    "nhwc3": (3, 3),
    "nhwc3_pad4": (3, 4),
    "nhwc3_pad8": (3, 8),
    "nhwc1_pad4": (1, 4),
    "nhwc1_pad8": (1, 8),
}


@dataclass(frozen=True)
class Batch:
    """Images in slots and a row table: everything a noisy batch is made of."""

    table: NoiseTable
    seed: int
    shape: tuple[int, int, int]
    images: npt.NDArray[np.uint8]  # [slots, C*H*W]
    image_ids: npt.NDArray[np.uint32]  # [slots]
    rows: npt.NDArray[np.uint32]  # [rows, 4]
    scale: npt.NDArray[np.float32]
    shift: npt.NDArray[np.float32]

    @property
    def slots(self) -> npt.NDArray[np.int32]:
        """The slot of each row; -1 is padding."""
        return self.rows[:, 0].view(np.int32)


def uniforms(batch: Batch) -> npt.NDArray[np.uint64]:
    """The 64-bit word U of every pixel, uint64 [rows that are not padding, C*H*W]."""
    return (_words(batch, 0) << np.uint64(32)) | _words(batch, REFINEMENT)


def _words(batch: Batch, stream: int) -> npt.NDArray[np.uint64]:
    """Philox4x32-10 words in uint64, from the purpose's stream or its refinement."""
    mask, half = np.uint64(0xFFFFFFFF), np.uint64(32)
    used = batch.rows[batch.slots >= 0].astype(np.uint64)
    ids = batch.image_ids[used[:, 0].astype(np.int64)].astype(np.uint64)
    pixels = np.arange(batch.images.shape[1])
    x0, x1, x2, x3 = np.broadcast_arrays(
        (pixels // 4).astype(np.uint64), used[:, 1, None], ids[:, None], used[:, 2, None] + stream
    )
    k0, k1 = np.uint64(batch.seed) & mask, np.uint64(batch.seed) >> half
    for _ in range(10):
        a, b = x0 * np.uint64(0xD2511F53), x2 * np.uint64(0xCD9E8D57)
        x0, x1, x2, x3 = (b >> half) ^ x1 ^ k0, b & mask, (a >> half) ^ x3 ^ k1, a & mask
        k0, k1 = (k0 + np.uint64(0x9E3779B9)) & mask, (k1 + np.uint64(0xBB67AE85)) & mask
    return np.choose(pixels % 4, [x0, x1, x2, x3])


def row_length(batch: Batch, layout: str) -> int:
    """Elements of one row of the input."""
    channels, height, width = batch.shape
    return (LAYOUT_CHANNELS[layout][1] if layout != "nchw" else channels) * height * width


def expected_inputs(batch: Batch, layout: str, scalar: str) -> npt.NDArray[np.generic]:
    """[rows that are not padding, elements]: the CPU sampler's float32, rounded once, laid out."""
    used = batch.rows[batch.slots >= 0]
    slots = used[:, 0].astype(np.int32)
    counters = np.stack([used[:, 1], batch.image_ids[slots], used[:, 2]])
    flat = np.empty((len(used), batch.images.shape[1]), np.float32)
    sampler = RowSampler(batch.table, batch.seed, batch.scale, batch.shift)
    sampler.fill(batch.images, slots, counters, flat)
    rounded = flat.astype(SCALAR_TYPES[scalar])
    if layout == "nchw":
        return rounded
    channels, height, width = batch.shape
    padded = LAYOUT_CHANNELS[layout][1]
    last = np.zeros((len(used), height * width, padded), SCALAR_TYPES[scalar])
    last[:, :, :channels] = rounded.reshape(len(used), channels, -1).transpose(0, 2, 1)
    return last.reshape(len(used), -1)


def launch_noise_add(
    runtime: HostRuntime,
    batch: Batch,
    layout: str,
    scalar: str,
    inputs: npt.NDArray[np.generic],
    *,
    num_rows: int | None = None,
    shared_guide: bool = True,
    grid: int = 3,
    block: int = 128,
) -> None:
    """One launch of the kernel on the first num_rows rows (all of them by default)."""
    channels, height, width = batch.shape
    table = batch.table
    runtime.launch(
        loader.noise_add_kernel(layout, scalar, shared_guide=shared_guide),
        grid,
        block,
        (
            batch.images,
            batch.image_ids,
            batch.rows,
            np.uint32(len(batch.rows) if num_rows is None else num_rows),
            np.uint32(channels),
            np.uint32(height * width),
            batch.scale,
            batch.shift,
            np.uint64(batch.seed),
            table.entries,
            table.first,
            table.thresholds,
            np.uint32(table.guide_bits),
            np.uint32(len(table.thresholds)),
            inputs,
        ),
        shared_bytes=loader.guide_bytes(table.guide_bits) if shared_guide else 0,
    )
