"""The fused add: exactly a * (u + N) + b in float32, for any mix of rows and any thread count."""

import threading
import time
from typing import Any

import numpy as np
import pytest

from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.engine.noise import sampler
from smoothcert.engine.noise.lattice import LatticeGaussian
from smoothcert.engine.noise.sampler import RowSampler


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 28, 28), (3, 15, 7), (3, 1, 1), (3, 40, 41)])
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_rows_of_many_images_equal_the_formula(shape: tuple[int, int, int], threads: int) -> None:
    rng = np.random.default_rng(0)
    spec = InputSpec(
        *shape,
        mean=tuple(rng.uniform(0.3, 0.6, shape[0])),
        std=tuple(rng.uniform(0.1, 0.3, shape[0])),
    )
    law = LatticeGaussian(0.5)
    images = rng.integers(0, 256, (4, spec.num_pixels)).astype(np.uint8)
    slots = rng.integers(0, 4, 9).astype(np.int32)
    counters = np.empty((3, 9), np.uint32)
    counters[0] = rng.integers(0, 2**32, 9)
    counters[1] = slots.astype(np.uint32) + np.uint32(1000)
    counters[2] = rng.integers(0, 5, 9)
    inputs = np.full((12, spec.num_pixels), np.nan, np.float32)
    scale, shift = spec.affine()
    RowSampler(law.table, 99, scale, shift, threads).fill(images, slots, counters, inputs)
    plane = shape[1] * shape[2]
    for row in range(9):
        sample, image_id, purpose = map(int, counters[:, row])
        noise = law.sample(99, image_id, sample, 1, spec.num_pixels, purpose)[0]
        noisy = images[slots[row]].astype(np.int16) + noise
        product = np.repeat(scale, plane) * noisy.astype(np.float32)
        assert product.dtype == np.float32
        assert np.array_equal(inputs[row], product + np.repeat(shift, plane))
    assert np.isnan(inputs[9:]).all()  # padding rows are left alone


def test_a_thread_that_is_still_at_work_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """And what it raises is raised."""
    caller, both = threading.current_thread(), threading.Barrier(2, timeout=60)
    drawn: list[int] = []
    failing = False

    def kernel(first: int, end: int, *arguments: Any) -> None:
        both.wait()
        if threading.current_thread() is not caller:
            time.sleep(0.2)
            if failing:
                raise MemoryError("of another thread")
        drawn.extend(range(first, end))

    monkeypatch.setattr(sampler, "_rows_kernel", kernel)
    units = 2 * sampler._CHUNK
    sampler._run(units, 2, ())
    assert sorted(drawn) == list(range(units))
    failing = True
    with pytest.raises(MemoryError, match="of another thread"):
        sampler._run(units, 2, ())


def test_multiply_and_add_are_not_fused() -> None:
    """A scale whose product needs rounding tells a fused multiply-add from two roundings."""
    law = LatticeGaussian(1.0)
    scale, shift = np.array([1 / 3], np.float32), np.array([-1.0], np.float32)
    images = np.zeros((1, 4096), np.uint8)
    inputs = np.empty((1, 4096), np.float32)
    RowSampler(law.table, 0, scale, shift).fill(
        images, np.zeros(1, np.int32), np.array([[0], [0], [1]], np.uint32), inputs
    )
    noise = law.sample(0, 0, 0, 1, 4096, 1)[0].astype(np.float64)
    fused = (noise * np.float64(scale[0]) - 1.0).astype(np.float32)
    separate = scale[0] * noise.astype(np.float32) + shift[0]
    assert (fused != separate).any()
    assert np.array_equal(inputs[0], separate)
