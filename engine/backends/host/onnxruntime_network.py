"""ONNX Runtime on the CPU: a static batch, bound to buffers of ours."""

from typing import Any

import numpy as np
import numpy.typing as npt

from smoothcert.engine.backends.base import aligned_zeros
from smoothcert.engine.base.cores import usable_cores
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.models.model import Model
from smoothcert.engine.models.onnx_graph import load_onnxruntime
from smoothcert.engine.models.unloadable import plain, refusal


class OnnxRuntimeNetwork:
    """A Network (backends/base.py): ONNX Runtime's CPU provider, in the model's own precision.

    batch    must equal the model's own where that is fixed
    threads  cores to use; None for all usable ones

    A float16 model's inputs are rounded to float16 once, here; its logits come back as float32.
    Raises InputError where the runtime refuses the model, naming its reason: every bfloat16
    model, for which its CPU provider has no kernels.
    """

    def __init__(
        self,
        model: Model,
        batch: int,
        threads: int | None = None,
    ) -> None:
        self.spec = spec = model.spec
        self.num_classes = num_classes = model.num_classes
        self._threads = threads or usable_cores()
        self._precision = model.precision
        if model.input_type == "bfloat16":
            raise InputError(
                f"model {model.given} is bfloat16, which ONNX Runtime cannot run on a CPU: "
                "expected float32, float16 or int8; OpenVINO (--backend openvino) and TensorRT run "
                "it"
            )
        runtime = load_onnxruntime()
        options = runtime.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.log_severity_level = 4  # what is wrong is raised too
        if model.metadata.get("precision") == "fp8":
            # ONNX Runtime 1.32's optimiser takes float8 pairs for integer ones on a CPU and
            # returns garbage; node by node it computes what the file says, slowly.
            options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
        if batch == 1 and (model.metadata.get("quantization") or {}).get("target") == "gpu":
            # Its weights stay dequantised at run time, and a lone row then takes other kernels.
            raise InputError(
                "batch 1 would give a model quantised for a gpu other logits than larger batches: "
                "expected at least 2 in ONNX Runtime"
            )
        # Threads that spin after a run would take the cores from the sampler.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        if isinstance(model.batch, str):
            # A static shape lets the runtime plan its memory once.
            options.add_free_dimension_override_by_name(model.batch, batch)
        try:
            self._session = runtime.InferenceSession(
                str(model.path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # the runtime's exceptions share no public base class
            raise refusal(model.path, error) from None
        self.inputs = aligned_zeros((batch, spec.num_pixels))
        self._logits = aligned_zeros((batch, num_classes))
        self._bound_inputs = _buffer_like(self.inputs, self._session.get_inputs()[0])
        self._bound_logits = _buffer_like(self._logits, self._session.get_outputs()[0])
        self._binding = self._session.io_binding()
        shape = (batch, *spec.shape)
        self._binding.bind_input(
            self._session.get_inputs()[0].name,
            "cpu",
            0,
            self._bound_inputs.dtype.type,
            shape,
            self._bound_inputs.ctypes.data,
        )
        self._binding.bind_output(
            self._session.get_outputs()[0].name,
            "cpu",
            0,
            self._bound_logits.dtype.type,
            self._logits.shape,
            self._bound_logits.ctypes.data,
        )
        self._version = str(runtime.__version__)

    def run(self) -> npt.NDArray[np.float32]:
        """See Network.run; no copy on either side of a float32 model. Raises RuntimeError where the
        runtime does, also for an output that is not [B, K]."""
        if self._bound_inputs is not self.inputs:
            np.copyto(self._bound_inputs, self.inputs, casting="same_kind")
        try:
            self._session.run_with_iobinding(self._binding)
        except Exception as error:  # the runtime's exceptions share no public base class
            raise RuntimeError(plain(error)) from None
        if self._bound_logits is not self._logits:
            np.copyto(self._logits, self._bound_logits)
        return self._logits

    def describe(self) -> dict[str, Any]:
        """See Network.describe."""
        return {
            "runtime": f"onnxruntime {self._version}",
            "precision": self._precision,
            "threads": self._threads,
        }


def _buffer_like(buffer: npt.NDArray[np.float32], value: Any) -> npt.NDArray[Any]:
    """The buffer itself where the runtime's `value` is float32, a float16 one of its shape else."""
    if value.type == "tensor(float16)":
        return aligned_zeros(buffer.shape, np.float16)
    return buffer
