"""The CPU stand-in refuses what a device leaves undefined, so that other tests can trust it."""

from typing import Any

import numpy as np
import pytest
from host_runtime import HostRuntime, host_runtime

from smoothcert.cupy_kernels import loader
from smoothcert.cupy_kernels.loader import Kernel
from smoothcert.engine.noise.lattice import LatticeGaussian


def broken(name: str, body: str) -> tuple[Kernel, HostRuntime]:
    """A kernel of one pointer that does what no kernel may."""
    text = f'extern "C" __global__ void {name}(int* out) {{ {body} }}'
    kernel = Kernel(name, "noise_add.cu", text)
    return kernel, HostRuntime([kernel], ["-Wno-unused"])


LOGITS_AND_ROWS = (np.zeros((1, 2), np.float32), np.zeros((1, 4), np.uint32))


@pytest.mark.parametrize(
    "arguments",
    [
        (np.zeros((1, 2), np.float32),),
        (*LOGITS_AND_ROWS, np.uint64(1), np.uint32(2), np.zeros(1, np.int32)),
        (*LOGITS_AND_ROWS, np.uint32(1), np.uint32(2), np.zeros(1, np.int32), np.uint32(1)),
    ],
)
def test_arguments_of_other_sizes(arguments: tuple[Any, ...]) -> None:
    with pytest.raises(AssertionError, match="wrong number or sizes"):
        host_runtime().launch(loader.vote_kernel("float32"), 1, 32, arguments)


@pytest.mark.parametrize(
    ("name", "body", "fault"),
    [
        ("half_warp", "if (threadIdx.x < 16) *out = __all_sync(~0u, 1);", "some lanes do not take"),
        ("lone_mask", "*out = __all_sync(1u, 1);", "part of a warp"),
        ("lone_barrier", "if (threadIdx.x) __syncthreads();", "some threads never reach"),
    ],
)
def test_faults(name: str, body: str, fault: str) -> None:
    kernel, runtime = broken(name, body)
    with pytest.raises(AssertionError, match=fault):
        runtime.launch(kernel, 1, 64, (np.zeros(1, np.int32),))


def test_shared_memory_that_was_not_asked_for() -> None:
    table = LatticeGaussian(0.25).table
    entries, first, thresholds = table.entries, table.first, table.thresholds
    sizes = (np.uint32(table.guide_bits), np.uint32(len(thresholds)))
    ones, words = np.ones(1, np.float32), np.zeros((1, 4), np.uint32)
    image, inputs = np.zeros(64, np.uint8), np.zeros(64, np.float32)
    shape = (np.uint32(1), np.uint32(1), np.uint32(64))
    batch = (image, words, words, *shape, ones, ones, np.uint64(0))
    arguments = (*batch, entries, first, thresholds, *sizes, inputs)
    kernel = loader.noise_add_kernel("nchw", "float32", shared_guide=True)
    enough = loader.guide_bytes(table.guide_bits)
    host_runtime().launch(kernel, 1, 32, arguments, shared_bytes=enough)
    with pytest.raises(AssertionError, match="beyond the block's shared memory"):
        host_runtime().launch(kernel, 1, 32, arguments, shared_bytes=enough - 4)


def test_threads_exchange_what_they_should() -> None:
    """Two exchanges in a row and a barrier, in four warps of two blocks."""
    kernel, runtime = broken(
        "exchanges",
        "int x = __shfl_xor_sync(~0u, (int)threadIdx.x, 5); __syncthreads();"
        "x += 1000 * __shfl_xor_sync(~0u, x, 16); out[blockIdx.x * blockDim.x + threadIdx.x] = x;",
    )
    out = np.zeros(256, np.int32)
    runtime.launch(kernel, 2, 128, (out,))
    first = np.arange(128) ^ 5
    assert np.array_equal(out, np.tile(first + 1000 * first[np.arange(128) ^ 16], 2))
