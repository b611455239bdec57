"""Advancing rows on the device, alone and as the replay of a captured graph would use it."""

from dataclasses import replace

import numpy as np
import pytest
from host_runtime import HostRuntime, host_runtime
from noise_reference import Batch, expected_inputs, launch_noise_add

from smoothcert.cupy_kernels import loader
from smoothcert.engine.noise.lattice import LatticeGaussian


@pytest.fixture(scope="module")
def runtime() -> HostRuntime:
    return host_runtime()


@pytest.mark.parametrize(("grid", "block"), [(1, 1), (1, 512), (3, 32)])
def test_samples_move_by_their_step(runtime: HostRuntime, grid: int, block: int) -> None:
    rows = np.array(
        [
            [0, 5, 1, 7],
            [1, 5, 1, 0],
            [2, 2**32 - 8, 1, 7],
            [3, 2**32 - 7, 1, 7],  # no sample of this index: padding from here on
            [4, 2**32 - 1, 1, 2**32 - 1],
            [2**32 - 1, 3, 1, 7],
            [6, 5, 1, 7],  # beyond num_rows
        ],
        np.uint32,
    )
    expected = rows.copy()
    expected[:6, 1] = [12, 5, 2**32 - 1, 0, 2**32 - 2, 10]
    expected[3:5, 0] = 2**32 - 1
    runtime.launch(loader.ADVANCE_ROWS, grid, block, (rows, np.uint32(6)))
    assert np.array_equal(rows, expected)


def test_replayed_batches_count_exactly_the_samples_of_each_image(runtime: HostRuntime) -> None:
    """noise, network, vote, advance, again and again without arguments from the host: the counts
    are those of samples 0 .. limit - 1 of every image, drawn one by one on the CPU."""
    rng = np.random.default_rng(5)
    shape, num_classes = (3, 8, 8), 10
    share = [5, 8, 2]  # rows of the batch that each image has
    limits = np.array([23, 64, 9], np.uint32)
    slots = np.repeat(np.arange(3), share)
    rows = np.zeros((16, 4), np.uint32)
    rows[:15, 0] = slots
    rows[:15, 1] = np.concatenate([np.arange(n) for n in share])
    rows[:15, 2] = 1
    rows[:15, 3] = np.repeat(share, share)
    rows[15, 0] = 2**32 - 1
    batch = Batch(
        LatticeGaussian(0.5).table,
        11,
        shape,
        rng.integers(0, 256, (3, 192)).astype(np.uint8),
        np.array([100, 4, 9], np.uint32),
        rows,
        np.full(3, 1 / 255, np.float32),
        np.zeros(3, np.float32),
    )
    weights = rng.integers(-8, 9, (192, num_classes)).astype(np.float32)
    inputs = np.zeros((16, 192), np.float32)
    classes = np.empty(16, np.int32)
    counts = np.zeros((3, num_classes), np.int32)
    for _ in range(8):
        launch_noise_add(runtime, batch, "nchw", "float32", inputs)
        logits = np.stack([row @ weights for row in inputs])
        runtime.launch(
            loader.vote_kernel("float32"),
            1,
            64,
            (logits, rows, np.uint32(16), np.uint32(num_classes), limits, classes, counts),
        )
        runtime.launch(loader.ADVANCE_ROWS, 1, 32, (rows, np.uint32(16)))
    assert (counts.max(axis=1) < limits).all()  # a network that tells noise from noise
    for slot, limit in enumerate(limits):
        singles = np.zeros((limit, 4), np.uint32)
        singles[:, 0], singles[:, 1], singles[:, 2] = slot, np.arange(limit), 1
        drawn = expected_inputs(replace(batch, rows=singles), "nchw", "float32")
        votes = [int((row @ weights).argmax()) for row in drawn]
        assert np.array_equal(counts[slot], np.bincount(votes, minlength=num_classes))
