"""The vote kernel, run on the CPU from the source a GPU gets, against numpy."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from host_runtime import HostRuntime, host_runtime
from noise_reference import SCALAR_TYPES

from smoothcert.cupy_kernels import loader

CLASSES = [1, 2, 10, 31, 32, 33, 100, 1000, 21_841]


@pytest.fixture(scope="module")
def runtime() -> HostRuntime:
    return host_runtime()


def row_table(slots: npt.ArrayLike, first_sample: int = 0) -> npt.NDArray[np.uint32]:
    """Consecutive samples, whatever their slot."""
    rows = np.zeros((np.size(slots), 4), np.uint32)
    rows[:, 0] = np.asarray(slots, np.int32).view(np.uint32)
    rows[:, 1] = first_sample + np.arange(len(rows))
    return rows


def launch(
    runtime: HostRuntime,
    logits: npt.NDArray[Any],
    rows: npt.NDArray[np.uint32],
    num_rows: int,
    grid: int = 2,
    block: int = 128,
) -> npt.NDArray[np.int32]:
    """The classes of all rows; -99 where the kernel did not write."""
    (scalar,) = (name for name, dtype in SCALAR_TYPES.items() if dtype == logits.dtype)
    classes = np.full(len(logits), -99, np.int32)
    sizes = (np.uint32(num_rows), np.uint32(logits.shape[1]))
    arguments = (logits, rows, *sizes, classes)
    runtime.launch(loader.vote_kernel(scalar), grid, block, arguments)
    return classes


def expected_classes(logits: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    exact = logits.astype(np.float32)
    return np.where(np.isfinite(exact).all(axis=1), exact.argmax(axis=1), -1)


@pytest.mark.parametrize("scalar", loader.SCALARS)
@pytest.mark.parametrize("num_classes", CLASSES)
def test_classes(runtime: HostRuntime, num_classes: int, scalar: str) -> None:
    """Normal logits, ties of several classes, values that are not finite, padding, idle rows."""
    rng = np.random.default_rng(num_classes)
    num_rows, idle = 19, 3
    logits = rng.normal(0, 5, (num_rows + idle, num_classes)).astype(SCALAR_TYPES[scalar])
    logits[3:8] = np.round(logits[3:8].astype(np.float32) / 8)
    for row, value in zip(range(8, 14), [np.nan, np.inf, -np.inf] * 2, strict=True):
        logits[row, rng.integers(num_classes)] = value
    slots = rng.integers(0, 4, num_rows + idle)
    slots[14] = -1
    rows = row_table(slots, 1000)
    classes = launch(runtime, logits, rows, num_rows)

    expected = expected_classes(logits)
    expected[14] = -1
    assert np.array_equal(classes[:num_rows], expected[:num_rows])
    assert (classes[8:14] == -1).all()
    assert (classes[num_rows:] == -99).all()


@pytest.mark.parametrize("scalar", loader.SCALARS)
@pytest.mark.parametrize("num_classes", [10, 100, 1000])
def test_ties_go_to_the_lowest_class(runtime: HostRuntime, num_classes: int, scalar: str) -> None:
    """All equal at both ends of the range, zeros of either sign, and two equal largest."""
    dtype = SCALAR_TYPES[scalar]
    lowest = -np.float32(3.4028234e38) if scalar == "float32" else -np.float32(65504)
    logits = np.zeros((5, num_classes), dtype)
    logits[0] = lowest
    logits[1] = -lowest
    logits[2, ::2] = -0.0
    logits[3, [num_classes - 1, num_classes // 2]] = 1
    logits[4] = -1
    logits[4, 9:] = -0.5
    classes = launch(runtime, logits, row_table([0] * 5), 5)
    assert classes.tolist() == [0, 0, 0, num_classes // 2, 9]


@pytest.mark.parametrize("scalar", loader.SCALARS)
def test_the_smallest_differences_count(runtime: HostRuntime, scalar: str) -> None:
    """Neighbouring numbers, subnormal ones among them, are not ties."""
    dtype = SCALAR_TYPES[scalar]
    bits = np.dtype(f"uint{8 * dtype.itemsize}")
    logits = np.zeros((2, 10), dtype)
    logits[0, [7, 2]] = np.array([2, 1], bits).view(dtype)
    logits[1] = 1
    logits[1, 6] = (np.array([1], dtype).view(bits) + 1).astype(bits).view(dtype)[0]
    classes = launch(runtime, logits, row_table([0, 0]), 2)
    assert classes.tolist() == [7, 6]


@pytest.mark.parametrize(("grid", "block"), [(1, 32), (1, 64), (3, 512), (7, 96)])
def test_any_grid_sees_every_row(runtime: HostRuntime, grid: int, block: int) -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(50, 10)).astype(np.float32)
    slots = rng.integers(0, 2, 50)
    classes = launch(runtime, logits, row_table(slots), 50, grid, block)
    assert np.array_equal(classes, logits.argmax(axis=1))
