"""ONNX Runtime's CUDA provider as a device network: inputs and logits stay where they are.

ONNX Runtime's own CUDA graphs make the host wait for every replay, so they are left off: the
backend records ONNX Runtime's work, with that of the noise and votes, into a graph of ours.

The tests run the same code on buffers in host memory, with the CPU provider.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from smoothcert.engine.backends.device.cuda_libraries import preload
from smoothcert.engine.backends.device.onnxruntime_session import (
    CPU_PROVIDER,
    BoundSession,
    check_stream,
)
from smoothcert.engine.backends.device.tuning import Tuning
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.onnx_runtime import import_onnxruntime, remedy
from smoothcert.engine.models.model import Model
from smoothcert.engine.models.onnx_graph import inspect_graph

_PROVIDER = "CUDAExecutionProvider"
_ELEMENT_TYPES = {"float32": 1, "float16": 10, "bfloat16": 16}  # ONNX's TensorProto numbers
_SEARCH = "cudnn_conv_algo_search"
_FATAL = 4  # of the logger's severities


def load_onnxruntime_gpu() -> Any:
    """onnxruntime with its CUDA provider; raises InputError where there is none."""
    runtime = import_onnxruntime("gpu", "running an ONNX model on a GPU")
    if _PROVIDER not in runtime.get_available_providers():
        raise InputError(
            f"the installed onnxruntime {runtime.__version__} has no CUDA provider: expected "
            f"onnxruntime-gpu; {remedy('gpu')}"
        )
    return runtime


class OnnxRuntimeDeviceNetwork:
    """A DeviceNetwork (network.py) run by ONNX Runtime.

    batch   must equal the model's own where that is fixed
    device  index of the GPU; None runs on buffers in host memory, with the CPU provider, at once
            instead of on a stream
    tune    bind measures ways to search for convolutions, lay images out and fuse biases, and takes
            the fastest; without, cuDNN's heuristics choose, the same in every process

    Nodes that the CUDA provider does not have are run on the CPU: the network is then not
    `capturable`, and describe() says which.

    Raises InputError where the runtime or its CUDA provider is missing, or refuses the model, and
    DeviceMemoryError where the device has no room.
    """

    input_layout = "nchw"
    capturable = True

    def __init__(
        self, model: Model, batch: int, device: int | None = 0, *, tune: bool = False
    ) -> None:
        self.spec, self.num_classes, self.batch_size = model.spec, model.num_classes, batch
        self.input_scalar: str = model.input_type
        graph = inspect_graph(model.path)
        self._names = graph.inputs[0].name, graph.outputs[0].name
        logits_scalar = graph.outputs[0].scalar
        if logits_scalar is None:
            raise InputError(
                f"model {model.given} returns {graph.outputs[0].type}: expected float32, float16 "
                "or bfloat16 logits; export it again"
            )
        self.logits_scalar: str = logits_scalar
        self._model = model
        self._device = device
        self._tune = tune
        self._tuning: Tuning | None = None
        self._session: BoundSession | None = None
        self._runtime = (
            import_onnxruntime("cpu", "running an ONNX model on the CPU")
            if device is None
            else load_onnxruntime_gpu()
        )

    def bind(self, inputs: Sequence[int], logits: int, stream: int) -> None:
        """See DeviceNetwork: makes the session, whose stream is fixed from then on."""
        if self._device is not None:
            # A line on stderr for every session, whose reasons our errors name, or no reasons.
            self._runtime.set_default_logger_severity(_FATAL)
            preload(self._runtime)
        bound = partial(self._bound, inputs, logits, stream)
        self._session = self._fastest(bound) if self._tune else bound({})
        self.capturable = self._session.nodes_on_cpu is None
        self._options = self._runtime.RunOptions()
        # Otherwise every run ends by waiting for the stream.
        self._options.add_run_config_entry("disable_synchronize_execution_providers", "1")

    def _fastest(self, bound: Callable[[Mapping[str, str]], BoundSession]) -> BoundSession:
        """The session with the fastest of the settings that this version accepts."""
        self._tuning = tuning = Tuning(self.batch_size)
        waiting = self._runtime.RunOptions()
        for name, settings in _variants(on_gpu=self._device is not None).items():
            with tuning.trying(name):
                session = bound(settings)
                tuning.measure(name, session, partial(session.run, 0, waiting), lambda: None)
        fastest: BoundSession = tuning.best()
        return fastest

    def _bound(
        self, inputs: Sequence[int], logits: int, stream: int, settings: Mapping[str, str]
    ) -> BoundSession:
        """A session on the buffers, with further settings (without a GPU, config entries)."""
        element = _ELEMENT_TYPES[self.input_scalar], _ELEMENT_TYPES[self.logits_scalar]
        batch, runtime, model = self.batch_size, self._runtime, self._model
        if self._device is None:
            place = ("cpu", 0)
            session = BoundSession(runtime, model, batch, (CPU_PROVIDER, {}), settings)
        else:
            place = ("cuda", self._device)
            cuda = {
                "device_id": str(self._device),
                "user_compute_stream": str(stream),
                # A measured choice would differ from session to session.
                _SEARCH: "HEURISTIC",
                "use_tf32": "1",
                **settings,
            }
            session = BoundSession(runtime, model, batch, (_PROVIDER, cuda), {})
            check_stream(session.settings(_PROVIDER), stream)
        session.bind(
            place,
            (self._names[0], element[0], (batch, *self.spec.shape), inputs),
            (self._names[1], element[1], (batch, self.num_classes), logits),
        )
        return session

    def enqueue(self, buffer: int) -> None:
        """See DeviceNetwork."""
        assert self._session is not None, "bind comes first, close last"
        self._session.run(buffer, self._options)

    def close(self) -> None:
        """Let go of the session: before the buffers and the stream that it is bound to."""
        self._session = None

    def describe(self) -> dict[str, Any]:
        """See DeviceNetwork."""
        on_cpu = None if self._session is None else self._session.nodes_on_cpu
        return {
            "runtime": f"onnxruntime {self._runtime.__version__}",
            "provider": "CPU" if self._device is None else "CUDA",
            "precision": self._model.precision,
            "tf32": self._device is not None,
            **({} if on_cpu is None else {"nodes_on_cpu": on_cpu or True}),
            **(self._tuning.describe() if self._tuning else {}),
        }


def _variants(*, on_gpu: bool) -> dict[str, dict[str, str]]:
    """What tuning tries, by name: settings of the CUDA provider; without a GPU, config entries."""
    if not on_gpu:
        entry = "session.intra_op.allow_spinning"
        return {"spinning": {entry: "1"}, "sleeping": {entry: "0"}}
    found = {}
    for search, last, fused in itertools.product(("HEURISTIC", "EXHAUSTIVE"), "01", "01"):
        name = search.lower() + " nhwc" * int(last) + " fused bias" * int(fused)
        further = {"prefer_nhwc": last} | {"fuse_conv_bias": fused}
        # A setting at its default is left out: a version that has it not is no reason to fail.
        found[name] = {_SEARCH: search} | {key: v for key, v in further.items() if v != "0"}
    return found
