"""OpenVINO on the CPU: a static batch on shared buffers, in float32 or bfloat16."""

from typing import Any

import numpy as np
import numpy.typing as npt

from smoothcert.engine.backends.onnxruntime_network import aligned_zeros
from smoothcert.engine.environment import usable_cores
from smoothcert.engine.errors import InputError
from smoothcert.engine.models import Model
from smoothcert.engine.optional import require

_PRECISIONS = {"fp32": "f32", "bf16": "bf16"}


class OpenVinoNetwork:
    """A Network (base.py) run by OpenVINO's CPU plugin.

    batch      must equal the model's own where that is fixed
    precision  fp32, or bf16: the runtime then computes in bfloat16 where the processor can
    threads    cores to use; None for all usable ones
    Raises InputError for a precision this processor lacks and where the runtime refuses the model.
    """

    def __init__(
        self, model: Model, batch: int, precision: str = "fp32", threads: int | None = None
    ) -> None:
        openvino = require("openvino", "openvino", "running a model with OpenVINO")
        self.spec, self.num_classes = model.spec, model.num_classes
        self._threads = threads or usable_cores()
        core = openvino.Core()
        if precision == "bf16" and "BF16" not in core.get_property(
            "CPU", "OPTIMIZATION_CAPABILITIES"
        ):
            raise InputError(
                "precision bf16 is not to be had on this processor: expected AVX-512 BF16 or AMX; "
                "use fp32"
            )
        try:
            graph = core.read_model(str(model.path))
            graph.reshape({graph.inputs[0]: [batch, *self.spec.shape]})
            compiled = core.compile_model(
                graph,
                "CPU",
                {
                    "INFERENCE_PRECISION_HINT": _PRECISIONS[precision],
                    "INFERENCE_NUM_THREADS": self._threads,
                    # One batch at a time over all cores: batches are large already.
                    "NUM_STREAMS": 1,
                },
            )
        except RuntimeError as error:
            reason = " ".join(str(error).split())[:300]
            raise InputError(
                f"{model.path} is no model that OpenVINO can run ({reason}): "
                "use --backend onnxruntime"
            ) from None
        self.inputs = aligned_zeros((batch, self.spec.num_pixels))
        self._logits = aligned_zeros((batch, self.num_classes))
        self._request: Any = compiled.create_infer_request()
        shaped = self.inputs.reshape(batch, *self.spec.shape)
        self._request.set_input_tensor(openvino.Tensor(shaped, shared_memory=True))
        self._request.set_output_tensor(openvino.Tensor(self._logits, shared_memory=True))
        self._description = {
            "runtime": f"openvino {openvino.__version__.partition('-')[0]}",
            "precision": precision,
            "threads": self._threads,
        }

    def run(self) -> npt.NDArray[np.float32]:
        """See Network.run; no copy on either side."""
        self._request.infer()
        return self._logits

    def describe(self) -> dict[str, Any]:
        """See Network.describe."""
        return dict(self._description)
