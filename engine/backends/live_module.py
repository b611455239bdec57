"""A torch module that is the caller's, who may train, move and switch it between two calls."""

import contextlib
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from smoothcert.engine.backends.base import Backend
from smoothcert.engine.backends.host.backend import HostBackend
from smoothcert.engine.base.errors import DeviceUnavailableError, MissingPartError
from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.engine.noise.lattice import LatticeGaussian

if TYPE_CHECKING:
    import torch

    from smoothcert.engine.backends.device.torch_network import TorchDeviceNetwork


class LiveModule:
    """Runs a module where it is, one image at a time: on its GPU, noise and votes too.

    Without CuPy or PyCUDA there, or where they cannot be used, the noise is the CPU's, which a
    warning says once. The module runs as it is, in its own precision: nothing is copied or fused,
    so that weights that change are seen.
    """

    def __init__(
        self,
        module: "torch.nn.Module",
        spec: InputSpec,
        num_classes: int,
        law: LatticeGaussian,
        seed: int,
        batch: int,
    ) -> None:
        self._module, self._spec, self._num_classes = module, spec, num_classes
        self._law, self._seed, self._batch = law, seed, batch
        self._backend: Backend | None = None
        self._network: TorchDeviceNetwork | None = None  # where it is on a GPU
        self._memory: tuple[Any, ...] = ()

    @contextlib.contextmanager
    def ready(self) -> Iterator[Backend]:
        """The backend, with the module in eval mode (in training mode a row's logits would depend
        on its batch) until this is left, and its runs ordered after what the caller's own stream
        holds. Opened anew where the module's memory is another than before."""
        with in_eval_mode(self._module):
            memory = _memory(self._module)
            if self._backend is None or memory != self._memory:
                if self._backend is not None:
                    self._backend.close()
                self._backend = self._network = None
                self._backend = self._open()
                self._memory = memory
            if self._network is not None:
                self._network.wait_for_caller()
            yield self._backend

    def _open(self) -> Backend:
        parameter = next(self._module.parameters(), None)
        if parameter is not None and parameter.device.type == "cuda":
            try:
                return self._open_on_gpu(parameter.device.index)
            except (MissingPartError, DeviceUnavailableError) as reason:
                # The same text from the same place is shown once.
                warnings.warn(f"the noise is drawn on the CPU: {reason}", stacklevel=2)
        from smoothcert.engine.backends.host.torch_network import TorchNetwork

        network = TorchNetwork(self._module, self._spec, self._num_classes, self._batch)
        return HostBackend(network, self._law, self._seed, num_slots=1)

    def _open_on_gpu(self, index: int) -> Backend:
        from smoothcert.engine.backends.device.backend import DeviceBackend
        from smoothcert.engine.backends.device.opening import open_runtime
        from smoothcert.engine.backends.device.torch_network import TorchDeviceNetwork

        runtime = open_runtime(index)
        network = TorchDeviceNetwork(
            self._module, self._spec, self._num_classes, self._batch, device=f"cuda:{index}"
        )
        backend = DeviceBackend(runtime, network, self._law, self._seed, num_slots=1)
        self._network = network
        return backend


@contextlib.contextmanager
def in_eval_mode(module: "torch.nn.Module") -> Iterator[None]:
    """Within it the module and all its parts are in eval mode; afterwards each is as it was."""
    before = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for part, training in before:
            part.training = training


def _memory(module: "torch.nn.Module") -> tuple[Any, ...]:
    """Where a module's tensors lie, and their types: what a recorded graph has in it."""
    tensors = (*module.parameters(), *module.buffers())
    return tuple((t.data_ptr(), t.dtype, t.device, tuple(t.shape)) for t in tensors)
