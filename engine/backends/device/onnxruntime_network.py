"""ONNX Runtime's CUDA provider as a device network: inputs and logits stay where they are.

ONNX Runtime's own CUDA graphs make the host wait for every replay, so they are left off: the
backend records ONNX Runtime's work, with that of the noise and votes, into a graph of ours.

The tests run the same code on buffers in host memory, with the CPU provider.
"""

import contextlib
import io
from collections.abc import Sequence
from typing import Any

from smoothcert.engine.base.errors import InputError, one_line, require
from smoothcert.engine.models.model import Model
from smoothcert.engine.models.onnx_graph import inspect_graph, refusal

_PROVIDER = "CUDAExecutionProvider"
_ELEMENT_TYPES = {"float32": 1, "float16": 10, "bfloat16": 16}  # ONNX's TensorProto numbers


def load_onnxruntime_gpu() -> Any:
    """onnxruntime with its CUDA provider; raises InputError where there is none."""
    runtime = require("onnxruntime", "gpu", "running an ONNX model on a GPU")
    if _PROVIDER not in runtime.get_available_providers():
        raise InputError(
            f"the installed onnxruntime {runtime.__version__} has no CUDA provider: expected "
            "onnxruntime-gpu; pip uninstall onnxruntime, then pip install 'smoothcert[gpu]'"
        )
    return runtime


class OnnxRuntimeDeviceNetwork:
    """A DeviceNetwork (network.py) run by ONNX Runtime.

    batch   must equal the model's own where that is fixed
    device  index of the GPU; None runs on buffers in host memory, with the CPU provider, at once
            instead of on a stream
    Raises InputError where the runtime or its CUDA provider is missing, or refuses the model.
    """

    input_layout = "nchw"
    capturable = True

    def __init__(self, model: Model, batch: int, device: int | None = 0) -> None:
        self.spec, self.num_classes, self.batch_size = model.spec, model.num_classes, batch
        self.input_scalar: str = model.input_type
        graph = inspect_graph(model.path)
        self._names = graph.inputs[0].name, graph.outputs[0].name
        logits_scalar = graph.outputs[0].scalar
        if logits_scalar is None:
            raise InputError(
                f"model {model.path} returns {graph.outputs[0].type}: expected float32, float16 or "
                "bfloat16 logits; export it again"
            )
        self.logits_scalar: str = logits_scalar
        self._model = model
        self._device = device
        self._runtime = (
            require("onnxruntime", "cpu", "running an ONNX model on the CPU")
            if device is None
            else load_onnxruntime_gpu()
        )

    def bind(self, inputs: Sequence[int], logits: int, stream: int) -> None:
        """See DeviceNetwork: makes the session, whose stream is fixed from then on."""
        self._session = self._open(stream)
        place = ("cpu", 0) if self._device is None else ("cuda", self._device)
        self._bindings = []
        for pointer in inputs:
            binding = self._session.io_binding()
            binding.bind_input(
                self._names[0],
                *place,
                _ELEMENT_TYPES[self.input_scalar],
                (self.batch_size, *self.spec.shape),
                pointer,
            )
            binding.bind_output(
                self._names[1],
                *place,
                _ELEMENT_TYPES[self.logits_scalar],
                (self.batch_size, self.num_classes),
                logits,
            )
            self._bindings.append(binding)
        self._options = self._runtime.RunOptions()
        # Otherwise every run ends by waiting for the stream.
        self._options.add_run_config_entry("disable_synchronize_execution_providers", "1")

    def _open(self, stream: int) -> Any:
        runtime, model = self._runtime, self._model
        options = runtime.SessionOptions()
        options.log_severity_level = 3
        # The same kernels in every session: votes are a function of the row.
        options.use_deterministic_compute = True
        if isinstance(model.batch, str):
            options.add_free_dimension_override_by_name(model.batch, self.batch_size)
        provider: Any = "CPUExecutionProvider"
        if self._device is not None:
            # Where PyTorch or NVIDIA's wheels carry the CUDA libraries, they must be loaded first.
            if hasattr(runtime, "preload_dlls"):
                with contextlib.redirect_stdout(io.StringIO()):  # it prints what it cannot find
                    runtime.preload_dlls()
            settings = {
                "device_id": str(self._device),
                "user_compute_stream": str(stream),
                # A measured choice would differ from session to session.
                "cudnn_conv_algo_search": "HEURISTIC",
                "use_tf32": "1",
            }
            provider = (_PROVIDER, settings)
        try:
            session = runtime.InferenceSession(str(model.path), options, providers=[provider])
        except Exception as error:  # the runtime's exceptions share no public base class
            raise refusal(model.path, error) from None
        if self._device is not None and session.get_providers()[0] != _PROVIDER:
            raise InputError(
                "ONNX Runtime could not load its CUDA provider: expected the CUDA and cuDNN that "
                f"onnxruntime-gpu {runtime.__version__} is built for; pip install "
                "'onnxruntime-gpu[cuda,cudnn]' brings both"
            )
        return session

    def enqueue(self, buffer: int) -> None:
        """See DeviceNetwork."""
        try:
            self._session.run_with_iobinding(self._bindings[buffer], self._options)
        except Exception as error:
            raise RuntimeError(f"ONNX Runtime: {one_line(error)}") from None

    def describe(self) -> dict[str, Any]:
        """See DeviceNetwork."""
        provider = "CPU" if self._device is None else "CUDA"
        return {
            "runtime": f"onnxruntime {self._runtime.__version__}",
            "provider": provider,
            "precision": self._model.metadata.get("precision", "fp32"),
            "tf32": self._device is not None,
        }
