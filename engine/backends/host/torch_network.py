"""PyTorch modules as networks: the reference, and what `Smooth` wraps."""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from smoothcert.engine.backends.base import aligned_zeros
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.input_spec import InputSpec


class TorchNetwork:
    """A Network (backends/base.py): an nn.Module, run eagerly on the device of its parameters.

    module  in eval mode: in training mode a row's logits would depend on its batch
    """

    def __init__(
        self, module: torch.nn.Module, spec: InputSpec, num_classes: int, batch: int
    ) -> None:
        self.spec = spec
        self.num_classes = num_classes
        self.inputs = aligned_zeros((batch, spec.num_pixels))
        self._module = module
        tensors = [*module.parameters(), *module.buffers()]
        self._device = tensors[0].device if tensors else torch.device("cpu")
        self._tensor = torch.from_numpy(self.inputs).view(batch, *spec.shape)

    def run(self) -> npt.NDArray[np.float32]:
        """See Network.run. Raises InputError where the output is not [B, K] logits."""
        with torch.inference_mode():
            logits = self._module(self._tensor.to(self._device))
        expected = (len(self.inputs), self.num_classes)
        if not isinstance(logits, torch.Tensor) or tuple(logits.shape) != expected:
            shape = tuple(logits.shape) if isinstance(logits, torch.Tensor) else type(logits)
            raise InputError(
                f"the base classifier returned {shape} for a batch of {len(self.inputs)} images: "
                f"expected logits of shape {expected}; check num_classes"
            )
        return logits.float().cpu().numpy()

    def describe(self) -> dict[str, Any]:
        """See Network.describe."""
        return {
            "runtime": f"torch {torch.__version__}",
            "threads": torch.get_num_threads(),
            "device": str(self._device),
        }
