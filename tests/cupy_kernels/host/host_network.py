"""ONNX Runtime's CPU provider as a network of the device backend, on buffers of the host device."""

from collections.abc import Sequence
from typing import Any

import ml_dtypes
import numpy as np
from host_device import HostDevice, array_at

from smoothcert.engine.backends.host.onnxruntime_network import OnnxRuntimeNetwork
from smoothcert.engine.models.model import Model

SCALAR_TYPES = {
    "float32": np.dtype(np.float32),
    "float16": np.dtype(np.float16),
    "bfloat16": np.dtype(ml_dtypes.bfloat16),
}


class HostNetwork:
    """A DeviceNetwork (engine/backends/device/network.py) run when the host device gets to it."""

    capturable = True

    def __init__(
        self,
        device: HostDevice,
        model: Model,
        batch: int,
        scalar: str = "float32",
        layout: str = "nchw",
    ) -> None:
        self.spec, self.num_classes, self.batch_size = model.spec, model.num_classes, batch
        self.input_scalar = self.logits_scalar = scalar
        self.input_layout = layout
        self.fails_inside_capture = self.records_nothing = False
        self.runs = 0
        self._device = device
        self._network = OnnxRuntimeNetwork(model, batch)

    def bind(self, inputs: Sequence[int], logits: int, stream: int) -> None:
        """See DeviceNetwork."""
        assert all(pointer % 256 == 0 for pointer in (*inputs, logits))
        self._inputs, self._logits = list(inputs), logits
        self._stream = self._device.streams[stream]

    def enqueue(self, buffer: int) -> None:
        """See DeviceNetwork."""
        if self.fails_inside_capture and self._stream.recording is not None:
            raise RuntimeError("refused\ninside a capture")
        if self.records_nothing and self._stream.recording is not None:
            return
        self._stream.queue(lambda: self._run(self._inputs[buffer]))

    def _run(self, pointer: int) -> None:
        self.runs += 1
        spec, dtype = self.spec, SCALAR_TYPES[self.input_scalar]
        channels, height, width = spec.shape
        if self.input_layout == "nchw":
            shape = (self.batch_size, spec.num_pixels)
            self._network.inputs[:] = array_at(pointer, shape, dtype)
        else:
            padded = int(self.input_layout.partition("_pad")[2] or channels)
            last = array_at(pointer, (self.batch_size, height, width, padded), dtype)
            assert not last[..., channels:].any()
            first = last[..., :channels].transpose(0, 3, 1, 2)
            self._network.inputs[:] = first.reshape(self.batch_size, -1)
        logits = self._network.run()
        array_at(self._logits, logits.shape, SCALAR_TYPES[self.logits_scalar])[...] = logits

    def close(self) -> None:
        """See DeviceNetwork."""

    def describe(self) -> dict[str, Any]:
        """See DeviceNetwork."""
        return {"runtime": "onnxruntime on the host", "precision": self.input_scalar}
