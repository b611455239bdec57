"""The suite without a GPU: the CPU stands in for one, and everything is tiny.

Kernels are the unmodified `.cu` files by g++, networks are real; only CUDA is not. Needs the
tests' folders on the path.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from gpu_machine import Machine
from host_device import HostDevice
from host_gpu import host_gpu

from smoothcert.engine.backends import gpu
from smoothcert.engine.backends.device import tuning

_ROWS = 16


@contextlib.contextmanager
def rehearsed(folder: Path) -> Iterator[Machine]:
    """A machine without a GPU; within it, whatever the product opens on cuda:0 is on the CPU."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # batches are too small to be shared
    try:
        with pytest.MonkeyPatch.context() as patch:
            host_gpu(patch)
            patch.setattr(gpu, "default_batch", lambda row_bytes: _ROWS)
            patch.setattr(tuning, "_BLOCK_SECONDS", 0.0)
            device = HostDevice("eager")
            yield Machine(device, "cpu", block_seconds=0.0, blocks=1, folder=folder, small=True)
    finally:
        torch.set_num_threads(threads)
