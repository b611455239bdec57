"""How the noise kernel is launched: which variant, and how many blocks."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from host_device import HostDevice
from host_network import HostNetwork

from smoothcert.cupy_kernels import loader
from smoothcert.cupy_kernels.loader import Kernel
from smoothcert.engine.backends.device.noise import DeviceNoise
from smoothcert.engine.backends.device.runtime import Argument, Launch
from smoothcert.engine.models.model import open_onnx
from smoothcert.engine.noise.lattice import LatticeGaussian

SHAPE = (3, 16, 16)
MULTIPROCESSORS = 2  # of the host device


class Watched(HostDevice):
    """Remembers the launches that were asked for."""

    def kernel(
        self,
        kernel: Kernel,
        grid: int,
        block: int,
        arguments: Sequence[Argument],
        shared_bytes: int = 0,
    ) -> Launch:
        self.launched = (grid, block, shared_bytes)
        return super().kernel(kernel, grid, block, arguments, shared_bytes)


@pytest.mark.parametrize(
    ("batch", "shared_memory", "variant", "grid"),
    [
        (400, 227 * 1024, "shared", MULTIPROCESSORS),
        (400, 48 * 1024, "global", 2 * MULTIPROCESSORS),  # no room for the guide
        (300, 227 * 1024, "global", 2 * MULTIPROCESSORS),  # too few pixels to fill it for
        (11, 227 * 1024, "global", 2),  # as many blocks as have a pixel group a thread
        (1, 227 * 1024, "global", 1),
    ],
)
def test_blocks_are_those_that_were_measured_to_be_fast(
    linear_model: Callable[..., Path], batch: int, shared_memory: int, variant: str, grid: int
) -> None:
    model = open_onnx(linear_model(np.ones((4, 768)), np.zeros(4), SHAPE))
    law = LatticeGaussian(0.5)
    guide = loader.guide_bytes(law.table.guide_bits)
    assert 48 * 1024 < guide <= 227 * 1024
    device = Watched("eager", shared_memory)
    noise = DeviceNoise(device, HostNetwork(device, model, batch), law, 0)
    noise.launch(
        device.allocate((1, 768), np.uint8),
        device.allocate((1, 1), np.uint32),
        device.allocate((batch, 4), np.uint32),
        device.allocate((batch, 768), np.float32),
    )
    assert noise.describe() == f"noise_add_nchw_float32_{variant}"
    shared_bytes = guide if variant == "shared" else 0
    assert device.launched == (grid, loader.MAX_BLOCK, shared_bytes)
