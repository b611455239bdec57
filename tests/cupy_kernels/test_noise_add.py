"""The noise kernel, run on the CPU from the source a GPU gets, against the CPU sampler: bit for
bit, in every layout and number type."""

import mmap
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from host_runtime import HostRuntime, all_kernels, host_runtime
from noise_reference import (
    LAYOUT_CHANNELS,
    SCALAR_TYPES,
    Batch,
    expected_inputs,
    launch_noise_add,
    row_length,
    uniforms,
)

from smoothcert.cupy_kernels import loader
from smoothcert.engine.noise.lattice import LatticeGaussian
from smoothcert.engine.noise.table import NoiseTable

GUARD = 64  # elements after the input that must stay as they were
NCHW_SHAPES = [
    (3, 32, 32),
    (1, 28, 28),
    (3, 15, 7),  # odd rows and planes: groups straddle channels, rows are unaligned
    (3, 1, 1),  # three channels in one group
    (5, 1, 3),
    (2, 3, 3),
    (4, 10, 10),  # planes of 4 mod 8
    (3, 17, 19),
    (1, 1, 1),
]
PLANES = [(32, 32), (15, 7), (1, 1), (2, 2), (4, 5), (3, 6), (17, 19)]


@pytest.fixture(scope="module")
def runtime() -> HostRuntime:
    return host_runtime()


def make_batch(shape: tuple[int, int, int], num_rows: int, table: NoiseTable) -> Batch:
    """Rows that mix images, purposes, extreme counters and padding."""
    rng = np.random.default_rng([*shape, num_rows])
    pixels = int(np.prod(shape))
    rows = np.empty((num_rows, 4), np.uint32)
    rows[:, 0] = rng.integers(0, 5, num_rows)
    rows[:, 1] = rng.choice([0, 1, 99_999, 2**31, 2**32 - 2, 2**32 - 1], num_rows)
    rows[:, 2] = rng.integers(0, 5, num_rows)
    rows[:, 3] = num_rows
    rows[num_rows // 2, 0] = np.uint32(2**32 - 1)
    return Batch(
        table,
        0xFEDCBA9876543210,
        shape,
        rng.integers(0, 256, (5, pixels)).astype(np.uint8),
        np.array([0, 1, 2**31, 2**32 - 1, 7], np.uint32),
        rows,
        rng.uniform(0.005, 0.02, shape[0]).astype(np.float32),
        rng.uniform(-2.5, 0.0, shape[0]).astype(np.float32),
    )


def check(
    runtime: HostRuntime,
    batch: Batch,
    layout: str,
    scalar: str,
    *,
    idle_rows: int = 0,
    shared_guide: bool = True,
    grid: int = 3,
    block: int = 128,
) -> None:
    """Every element equal; padding, rows beyond num_rows and memory beyond the input untouched."""
    dtype, length = SCALAR_TYPES[scalar], row_length(batch, layout)
    num_rows = len(batch.rows)
    memory = runtime.allocate((num_rows + idle_rows) * length + GUARD, dtype)
    before = memory.view(np.uint8).copy()
    launch_noise_add(
        runtime,
        batch,
        layout,
        scalar,
        memory,
        num_rows=num_rows,
        shared_guide=shared_guide,
        grid=grid,
        block=block,
    )
    expected = before.view(dtype)
    body = expected[: num_rows * length].reshape(num_rows, length)
    body[batch.slots >= 0] = expected_inputs(batch, layout, scalar)
    assert np.array_equal(memory.view(np.uint8), expected.view(np.uint8))


@pytest.mark.parametrize("scalar", loader.SCALARS)
@pytest.mark.parametrize("shape", NCHW_SHAPES)
def test_channels_first(runtime: HostRuntime, shape: tuple[int, int, int], scalar: str) -> None:
    batch = make_batch(shape, 9, LatticeGaussian(0.5).table)
    for shared_guide in (True, False):
        check(runtime, batch, "nchw", scalar, idle_rows=2, shared_guide=shared_guide)


@pytest.mark.parametrize("scalar", loader.SCALARS)
@pytest.mark.parametrize("layout", LAYOUT_CHANNELS)
@pytest.mark.parametrize("plane", PLANES)
def test_channels_last(
    runtime: HostRuntime, plane: tuple[int, int], layout: str, scalar: str
) -> None:
    shape = (LAYOUT_CHANNELS[layout][0], *plane)
    batch = make_batch(shape, 9, LatticeGaussian(0.5).table)
    for shared_guide in (True, False):
        check(runtime, batch, layout, scalar, idle_rows=2, shared_guide=shared_guide)


def test_every_layout_is_tested() -> None:
    assert set(loader.LAYOUTS) == {"nchw", *LAYOUT_CHANNELS}
    assert set(loader.SCALARS) == set(SCALAR_TYPES)


@pytest.mark.parametrize(("grid", "block"), [(1, 1), (1, 32), (2, 96), (5, 511), (40, 512)])
def test_any_grid_gives_the_same_bits(runtime: HostRuntime, grid: int, block: int) -> None:
    """More threads than work, fewer, and steps that are no multiple of a row."""
    batch = make_batch((3, 15, 7), 6, LatticeGaussian(0.25).table)
    for layout in ("nchw", "nhwc3_pad4"):
        check(runtime, batch, layout, "float16", grid=grid, block=block)


@pytest.mark.parametrize("sigma", [0.12, 1.0, 4.0])
def test_every_sigma(runtime: HostRuntime, sigma: float) -> None:
    """Guides of 14 to 16 bits; noise that leaves the range of half-precision integers."""
    batch = make_batch((3, 64, 64), 4, LatticeGaussian(sigma).table)
    for scalar in loader.SCALARS:
        for shared_guide in (True, False):
            check(runtime, batch, "nchw", scalar, shared_guide=shared_guide)


def check_against_definition(
    runtime: HostRuntime,
    batch: Batch,
    layout: str,
    thresholds: npt.NDArray[np.uint64],
) -> None:
    """N + J is the number of thresholds <= U, whatever the thresholds."""
    table = NoiseTable.of_thresholds(np.sort(thresholds))
    ones = np.ones(batch.shape[0], np.float32)
    batch = replace(batch, table=table, scale=ones, shift=0 * ones)
    ranks = np.searchsorted(table.thresholds, uniforms(batch), side="right")
    images = batch.images[batch.slots[batch.slots >= 0]].astype(np.int64)
    assert np.array_equal(
        expected_inputs(batch, "nchw", "float32"), images + ranks - table.half_width
    )
    for shared_guide in (True, False):
        check(runtime, batch, layout, "float32", shared_guide=shared_guide)


@pytest.mark.parametrize("offset", [-1, 0, 1])
@pytest.mark.parametrize(("layout", "shape"), [("nchw", (3, 4, 5)), ("nhwc3_pad4", (3, 5, 6))])
def test_forced_refinement(
    runtime: HostRuntime, layout: str, shape: tuple[int, int, int], offset: int
) -> None:
    """Thresholds one below, at and one above the very 64-bit words that are drawn."""
    batch = make_batch(shape, 5, LatticeGaussian(0.5).table)
    drawn = uniforms(batch).ravel()
    check_against_definition(runtime, batch, layout, drawn + np.uint64(offset % 2**64))


def test_many_thresholds_under_one_word(runtime: HostRuntime) -> None:
    batch = make_batch((3, 4, 5), 5, LatticeGaussian(0.5).table)
    word = uniforms(batch)[1, 17] >> np.uint64(32) << np.uint64(32)
    steps = np.arange(32, dtype=np.uint64) << np.uint64(27)
    check_against_definition(runtime, batch, "nchw", word + steps)


def test_words_in_crowded_first_and_last_buckets(runtime: HostRuntime) -> None:
    """The search among a bucket's thresholds must end where the bucket, or the table, does."""
    batch = make_batch((3, 64, 64), 5, LatticeGaussian(0.5).table)
    drawn = np.sort(uniforms(batch).ravel())
    low_bits = np.uint64(64 - 14)
    assert drawn[0] >> low_bits == 0
    assert ~drawn[-1] >> low_bits == 0
    around = np.arange(-20, 20) * 2**30
    crowds = [drawn[0].astype(np.int64) + around, drawn[-1].astype(np.int64) + around]
    check_against_definition(runtime, batch, "nchw", np.concatenate(crowds).astype(np.uint64))


def test_offsets_beyond_32_bits(runtime: HostRuntime) -> None:
    """A slot whose image and a row whose input begin more than 2^32 elements into their arrays."""
    batch = make_batch((1, 16, 12), 3, LatticeGaussian(0.5).table)
    slot = 2**32 // 192 + 5
    num_rows = 2**32 // (192 * 8) + 5
    images = _sparse(np.uint8, (slot + 1) * 192).reshape(slot + 1, 192)
    images[slot] = batch.images[0]
    image_ids = _sparse(np.uint32, slot + 1)
    image_ids[slot] = 77
    rows = np.zeros((num_rows, 4), np.uint32)
    rows[:, 0] = 2**32 - 1
    rows[-1] = (slot, 5, 1, 1)
    inputs = _sparse(np.uint16, num_rows * 192 * 8).reshape(num_rows, -1)
    large = replace(batch, images=images, image_ids=image_ids, rows=rows)
    launch_noise_add(runtime, large, "nhwc1_pad8", "float16", inputs, shared_guide=False, block=32)
    small = replace(
        batch, image_ids=np.array([77], np.uint32), rows=np.array([[0, 5, 1, 1]], np.uint32)
    )
    expected = expected_inputs(small, "nhwc1_pad8", "float16")
    assert np.array_equal(inputs[-1], expected[0].view(np.uint16))


def _sparse(dtype: npt.DTypeLike, count: int) -> npt.NDArray[Any]:
    """Zeros that take memory only where they are written."""
    no_reserve = 0x4000  # Linux; the module has no name for it before Python 3.13
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | no_reserve
    memory = mmap.mmap(-1, count * np.dtype(dtype).itemsize, flags=flags)
    return np.frombuffer(memory, dtype)


def test_no_undefined_behaviour(capfd: pytest.CaptureFixture[str]) -> None:
    """Above all no misaligned 8-byte load or 16-byte store, which a GPU faults on."""
    kernels = [k for k in all_kernels() if k.file == "noise_add.cu" and "float16_sh" in k.name]
    checked = HostRuntime(kernels, ("-fsanitize=undefined",))
    for layout in loader.LAYOUTS:
        channels = LAYOUT_CHANNELS.get(layout, (3, 3))[0]
        for plane in PLANES:
            batch = make_batch((channels, *plane), 9, LatticeGaussian(0.5).table)
            check(checked, batch, layout, "float16")
    assert "runtime error" not in capfd.readouterr().err
