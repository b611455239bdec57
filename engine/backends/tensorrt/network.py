"""TensorRT engines as device networks: one execution context, buffers of the backend's.

No machine with a GPU has run this file yet; its calls are checked against the real bindings.
"""

from collections.abc import Sequence
from typing import Any

from smoothcert.engine.backends.device.driver import require_gpu, use
from smoothcert.engine.backends.tensorrt import rtx
from smoothcert.engine.backends.tensorrt.log import LogKeeper
from smoothcert.engine.backends.tensorrt.module import TensorRT, load_tensorrt
from smoothcert.engine.backends.tensorrt.plan import PlanRecord
from smoothcert.engine.backends.tensorrt.trust import read_plan
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.models.model import Model

_PURPOSE = "running a TensorRT engine"
_DTYPES = {"float32": "FLOAT", "float16": "HALF", "bfloat16": "BF16"}


class PlanRefusedError(InputError):
    """This plan does not run on this GPU with the installed runtime; another build of it may."""


class TensorRTNetwork:
    """A DeviceNetwork (device/network.py) that runs a plan, from the thread that made it.

    model   of models.open_plan
    device  index of the GPU; its primary context becomes current on this thread
    Raises InputError without a GPU or the runtime, and where the file is not the plan that `model`
    speaks of; PlanRefusedError where the plan was built for another GPU or version, or the runtime
    does not take it; DeviceMemoryError where the device is too small for it.
    """

    input_layout = "nchw"

    def __init__(self, model: Model, device: int = 0) -> None:
        gpu = require_gpu(device, _PURPOSE)
        # What is loaded are the bytes that were checked, not the file's once more.
        content, record = read_plan(model.path)
        if record.sha256 != model.sha256:
            raise InputError(f"plan {model.path} has changed since it was opened: start again")
        self._module = module = load_tensorrt(record.runtime, _PURPOSE)
        reason = record.refusal(module.version, gpu)
        if reason is not None:
            raise PlanRefusedError(_refusal(model, reason))
        use(gpu)
        self.spec = record.spec
        self.num_classes = record.num_classes
        self.batch_size = record.batch
        self.input_scalar: str = record.input_scalar
        self.logits_scalar: str = record.logits_scalar
        self.capturable = False  # until it is bound
        self._record = record
        self._gpu = gpu
        self._log = log = LogKeeper(module.trt)

        def refused(reason: str) -> InputError:
            return PlanRefusedError(_refusal(model, reason))

        def unready(reason: str) -> InputError:
            return InputError(f"plan {model.path} cannot be made ready to run: {reason}")

        # Named by the user or of the user's own cache: read_plan takes no other.
        runtime = module.start(log, host_code=record.version_compatible)
        self._runtime = runtime  # must outlive the engine
        if module.rtx:
            invalid = log.ask(lambda: rtx.invalidity(module.trt, runtime, content), refused)
            if invalid:
                raise refused(invalid)
        engine = log.ask(lambda: runtime.deserialize_cuda_engine(content), refused)
        reason = _mismatch(module.trt, engine, record)
        if reason is not None:
            raise InputError(f"plan {model.path} is not what its record says: {reason}")
        self._context = log.ask(lambda: _context(module, engine), unready)
        self._engine = engine
        self._inputs: tuple[int, ...] = ()
        self._bound = -1  # the buffer that the context's input address is
        self._stream = 0

    def bind(self, inputs: Sequence[int], logits: int, stream: int) -> None:
        """See DeviceNetwork.bind. Raises RuntimeError where TensorRT refuses shape or address, and
        DeviceMemoryError where it runs out of memory."""
        record, context = self._record, self._context
        shape = (record.batch, *record.spec.shape)
        if not context.set_input_shape(record.input_name, shape):
            raise self._failure(f"TensorRT refuses the input shape {shape}")
        missing = context.infer_shapes()
        if missing:
            raise self._failure(f"TensorRT knows no shapes of {', '.join(missing)}")
        if not context.set_tensor_address(record.logits_name, logits):
            raise self._failure("TensorRT refuses the logits' address")
        self._inputs = tuple(inputs)
        self._stream = stream
        self._address(0)
        # A static engine of full TensorRT has nothing that a capture forbids.
        self.capturable = not self._module.rtx or rtx.is_capturable(context, stream)

    def _address(self, buffer: int) -> None:
        if buffer == self._bound:
            return
        name = self._record.input_name
        if not self._context.set_tensor_address(name, self._inputs[buffer]):
            raise self._failure("TensorRT refuses the input's address")
        self._bound = buffer

    def enqueue(self, buffer: int) -> None:
        """See DeviceNetwork.enqueue. Raises DeviceMemoryError where a run, as the first may, runs
        out of memory."""
        self._address(buffer)
        if not self._context.execute_async_v3(self._stream):
            raise self._failure("TensorRT cannot queue a run")

    def _failure(self, what: str) -> Exception:
        return self._log.failure(lambda reason: RuntimeError(f"{what}: {reason}"))

    def close(self) -> None:
        """See DeviceNetwork.close; each of these needs the next."""
        del self._context
        del self._engine
        del self._runtime

    def describe(self) -> dict[str, Any]:
        """See DeviceNetwork.describe."""
        record = self._record
        return {
            "runtime": f"{self._module.name} {self._module.version}",
            "precision": record.precision,
            "tf32": record.tf32,
            "plan_sha256": record.sha256,
            "gpu": self._gpu.name,
        }


def _refusal(model: Model, reason: str) -> str:
    return (
        f"plan {model.path} cannot run here ({reason}): build it on this machine with "
        "`smoothcert build MODEL.onnx`"
    )


def _mismatch(trt: Any, engine: Any, record: PlanRecord) -> str | None:
    """How the engine's tensors differ from the record's; None where buffers may be planned."""
    expected = {
        record.input_name: (
            trt.TensorIOMode.INPUT,
            _DTYPES[record.input_scalar],
            [record.batch, *record.spec.shape],
        ),
        record.logits_name: (
            trt.TensorIOMode.OUTPUT,
            _DTYPES[record.logits_scalar],
            [record.batch, record.num_classes],
        ),
    }
    names = [engine.get_tensor_name(index) for index in range(engine.num_io_tensors)]
    if sorted(names) != sorted(expected):
        return f"it has the tensors {', '.join(names)}, expected {', '.join(expected)}"
    for name, (mode, dtype, shape) in expected.items():
        found = [int(side) for side in engine.get_tensor_shape(name)]
        if engine.get_tensor_mode(name) != mode or found != shape:
            return f"tensor {name} has shape {found}, expected {shape}"
        if engine.get_tensor_dtype(name).name != dtype:
            return f"tensor {name} is {engine.get_tensor_dtype(name).name}, expected {dtype}"
        if engine.get_tensor_format(name) != trt.TensorFormat.LINEAR:
            return f"tensor {name} is laid out as {engine.get_tensor_format_desc(name)}"
        if engine.get_tensor_location(name) != trt.TensorLocation.DEVICE:
            return f"tensor {name} is not in device memory"
    return None


def _context(module: TensorRT, engine: Any) -> Any:
    if not module.rtx:
        return engine.create_execution_context()
    config = engine.create_runtime_config()
    rtx.specialise_eagerly(module.trt, config)
    return engine.create_execution_context(config)
