"""A torch module that is the caller's, who may train, move and switch it between two calls."""

import contextlib
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from smoothcert.engine.backends.base import Backend, LogitsBackend
from smoothcert.engine.backends.host.backend import HostBackend
from smoothcert.engine.backends.host.room import check_room
from smoothcert.engine.backends.independence import examined
from smoothcert.engine.base.errors import DeviceUnavailableError, InputError, MissingPartError
from smoothcert.engine.base.failing import opening
from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.engine.models.row_independence.known import Known
from smoothcert.engine.noise.lattice import LatticeGaussian

if TYPE_CHECKING:
    import torch

    from smoothcert.engine.backends.device.torch_network import TorchDeviceNetwork


_NAME = "the base classifier"
_KNOWN = Known("probed", "a module, which shows no graph")
_SLOTS = 4
"""One image at a time; the probe takes four."""


class LiveModule:
    """Runs a module where it is, one image at a time: on its GPU, noise and votes too.

    Without CuPy or PyCUDA there, or where they cannot be used, the noise is the CPU's, which a
    warning says once. The module runs as it is, in its own precision: nothing is copied or fused,
    so that weights that change are seen. It is probed when it is opened (probe.py).
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
        holds. Opened anew where the module's memory is another than before.

        Raises InputError where the module is no function of a row, and when this is left, where it
        has switched a part back to training mode or changed a buffer or parameter meanwhile.
        """
        with in_eval_mode(self._module):
            before = _Contents(self._module)
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
            _check_unchanged(self._module, before)

    def _open(self) -> Backend:
        check_room(self._spec, self._num_classes, self._batch, _NAME)
        with opening(_NAME):
            return examined(self._open_unexamined(), _NAME, _KNOWN)

    def _open_unexamined(self) -> LogitsBackend:
        parameter = next(self._module.parameters(), None)
        if parameter is not None and parameter.device.type == "cuda":
            try:
                return self._open_on_gpu(parameter.device.index)
            except (MissingPartError, DeviceUnavailableError) as reason:
                # The same text from the same place is shown once.
                warnings.warn(f"the noise is drawn on the CPU: {reason}", stacklevel=2)
        from smoothcert.engine.backends.host.torch_network import TorchNetwork

        network = TorchNetwork(self._module, self._spec, self._num_classes, self._batch)
        return HostBackend(network, self._law, self._seed, num_slots=_SLOTS)

    def _open_on_gpu(self, index: int) -> LogitsBackend:
        from smoothcert.engine.backends.device.backend import DeviceBackend
        from smoothcert.engine.backends.device.opening import open_runtime
        from smoothcert.engine.backends.device.torch_network import TorchDeviceNetwork

        runtime = open_runtime(index)
        network = TorchDeviceNetwork(
            self._module, self._spec, self._num_classes, self._batch, device=f"cuda:{index}"
        )
        backend = DeviceBackend(runtime, network, self._law, self._seed, num_slots=_SLOTS)
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


class _Contents:
    """What a module's tensors hold: where each lies, how often torch has written to it, and the
    numbers in its buffers (a normalisation's kernel writes without being counted)."""

    def __init__(self, module: "torch.nn.Module") -> None:
        import torch

        tensors = (*module.named_parameters(), *module.named_buffers())
        self.places = {
            name: (tensor.data_ptr(), -1 if tensor.is_inference() else tensor._version)
            for name, tensor in tensors
        }
        self.numbers = {
            device: torch.cat([b.detach().reshape(-1).double() for b in buffers]).view(torch.int64)
            for device, buffers in _by_device(module).items()
        }

    def changed_since(self, before: "_Contents") -> str | None:
        """The tensor that is not as it was: its name, or "a buffer" where no more is known."""
        for name in {**before.places, **self.places}:
            if before.places.get(name) != self.places.get(name):
                return name
        same = all(
            bool((numbers == before.numbers[device]).all())
            for device, numbers in self.numbers.items()
        )
        return None if same else "a buffer"


def _by_device(module: "torch.nn.Module") -> "dict[torch.device, list[torch.Tensor]]":
    found: dict[torch.device, list[torch.Tensor]] = {}
    for buffer in module.buffers():
        if buffer.numel() and not buffer.is_complex():
            found.setdefault(buffer.device, []).append(buffer)
    return found


def _check_unchanged(module: "torch.nn.Module", before: _Contents) -> None:
    switched = [name or "itself" for name, part in module.named_modules() if part.training]
    if switched:
        raise InputError(
            f"the base classifier switches {switched[0]} to training mode while it runs: its "
            "answer then depends on the images beside it or on chance, and no certificate would "
            "hold; expected a module that stays in eval mode"
        )
    changed = _Contents(module).changed_since(before)
    if changed is not None:
        raise InputError(
            f"the base classifier changes {changed} while it runs: it is another function from row "
            "to row, and no certificate would hold; expected a module whose forward changes nothing"
        )
