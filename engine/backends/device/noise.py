"""The noise kernel of a device backend: the law's table in device memory, and launches that fit."""

from typing import Any

import numpy as np
import numpy.typing as npt

from smoothcert.cupy_kernels import loader
from smoothcert.engine.backends.device.network import DeviceNetwork
from smoothcert.engine.backends.device.runtime import DeviceArray, DeviceRuntime, Launch
from smoothcert.engine.noise.lattice import LatticeGaussian
from smoothcert.engine.noise.streams import check_seed

# Blocks a multiprocessor. On an H200 one with the guide in shared memory takes .00211 ns a pixel,
# two with it in global memory .00217, and two that each fill shared memory .00225.
_BLOCKS_SHARED, _BLOCKS_GLOBAL = 1, 2
_FEW_PIXELS = 2**18  # filling the shared tables would cost more than it saves


def upload_constant(runtime: DeviceRuntime, array: npt.NDArray[Any]) -> DeviceArray:
    """A copy of an array in device memory, there when this returns."""
    staged = runtime.pinned(array.shape, array.dtype)
    staged[...] = array
    target = runtime.allocate(array.shape, array.dtype)
    stream = runtime.stream()
    runtime.upload(staged, target, stream)
    stream.synchronize()
    return target


class DeviceNoise:
    """Makes launches that fill a network's input with noisy images.

    describe() says which variant of the kernel they are.
    """

    def __init__(
        self, runtime: DeviceRuntime, network: DeviceNetwork, law: LatticeGaussian, seed: int
    ) -> None:
        check_seed(seed)
        table, spec, properties = law.table, network.spec, runtime.properties
        self._runtime = runtime
        self._rows = network.batch_size
        guide = loader.guide_bytes(table.guide_bits)
        pixels = network.batch_size * spec.num_pixels
        shared = guide <= properties.shared_memory and pixels > _FEW_PIXELS
        self._shared_bytes = guide if shared else 0
        self._kernel = loader.noise_add_kernel(
            network.input_layout, network.input_scalar, shared_guide=shared
        )
        # All blocks run at a time; each steps over the batch.
        blocks = (_BLOCKS_SHARED if shared else _BLOCKS_GLOBAL) * properties.multiprocessors
        self._grid = max(1, min(blocks, pixels // 8 // loader.MAX_BLOCK))
        scale, shift = spec.affine()
        self._shape = (
            np.uint32(network.batch_size),
            np.uint32(spec.channels),
            np.uint32(spec.height * spec.width),
            upload_constant(runtime, scale),
            upload_constant(runtime, shift),
            np.uint64(seed),
        )
        self._table = (
            upload_constant(runtime, table.entries),
            upload_constant(runtime, table.first),
            upload_constant(runtime, table.thresholds),
            np.uint32(table.guide_bits),
            np.uint32(len(table.thresholds)),
        )

    def launch(
        self, images: DeviceArray, image_ids: DeviceArray, rows: DeviceArray, inputs: DeviceArray
    ) -> Launch:
        """Draws the rows' noisy images into `inputs`; see loader.noise_add_kernel."""
        return self._runtime.kernel(
            self._kernel,
            self._grid,
            loader.MAX_BLOCK,
            (images, image_ids, rows, *self._shape, *self._table, inputs),
            self._shared_bytes,
        )

    def describe(self) -> str:
        """The kernel's name."""
        return self._kernel.name
