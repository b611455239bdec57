"""int8: quantise and dequantise pairs around a float32 ONNX model's layers, statically calibrated.

ONNX Runtime's quantiser does the work. Two targets, because no single file is fast everywhere:

* cpu: activations unsigned with a zero point, which ONNX Runtime and OpenVINO turn into integer
  kernels (a ReLU becomes the range's lower end); everything between layers is quantised,
  residual sums too. Weights have 7 bits, -64 to 64: processors without VNNI add two products of
  an activation and a weight in 16 bits, where 8 bits would saturate and a file's votes depend on
  the processor (2 * 255 * 64 = 32,640 fits). Depthwise convolutions keep 8: their kernels saturate
  in neither runtime (benchmarks/results/precision.md).
* gpu: activations signed with zero point 0, the only ones TensorRT accepts; pairs stand at the
  inputs of convolutions, matrix products and residual sums only, where TensorRT fuses them, and
  biases stay in float.

Weights are signed with one scale per output channel in both.

The layers alone may be quantised, with all that lies between them in float32: transformers lose
their votes in 8-bit residual sums, not in their matrix products (benchmarks/results/precision.md).
"""

import contextlib
import logging
from collections.abc import Iterator, Sequence
from inspect import signature
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from smoothcert.engine.base.errors import InputError, require
from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.engine.base.machine import version_of
from smoothcert.engine.base.onnx_runtime import import_onnxruntime
from smoothcert.export.precision.calibration import Calibration
from smoothcert.export.precision.watching import Ran

Target = Literal["cpu", "gpu"]

WEIGHTED = ("Conv", "ConvTranspose", "Gemm", "MatMul")
"""The layers that may be kept in float32 one by one."""

_EXACT = (
    "Clip",
    "Flatten",
    "MaxPool",
    "Relu",
    "Reshape",
    "Slice",
    "Squeeze",
    "Transpose",
    "Unsqueeze",
)
"""What takes 8-bit values to 8-bit values without rounding: quantised with the layer before it."""

_GPU_OPS = [*WEIGHTED, "Add"]
_GPU_OPTIONS = {
    "ActivationSymmetric": True,
    "QuantizeBias": False,
    "OpTypesToExcludeOutputQuantization": _GPU_OPS,
}


class Quantizer:
    """Quantises one float32 model in several ways from one calibration.

    model        onnx.ModelProto with input `input` [N, C, H, W]
    calibration  what the ranges of activations are taken from
    folder       for the model and its ranges while this object lives
    """

    def __init__(
        self, model: Any, spec: InputSpec, calibration: Calibration, target: Target, folder: Path
    ) -> None:
        import_onnxruntime("cpu", "quantising a model")
        self._tools = _tools()
        if "calibration_cache_path" not in signature(self._tools.quantize_static).parameters:
            raise InputError(
                f"onnxruntime {version_of('onnxruntime')} cannot quantise one calibration twice: "
                "expected 1.32 or later; pip install -U onnxruntime"
            )
        self._onnx = require("onnx", "export", "exporting to ONNX")
        self._model = folder / "float.onnx"
        self._onnx.save(model, str(self._model))
        self._folder, self._target = folder, target
        self._spec, self._calibration = spec, calibration
        self.layers = [node.name for node in model.graph.node if node.op_type in WEIGHTED]
        if not self.layers:
            raise InputError(
                "the network has no convolution or matrix product to quantise: expected one of "
                f"{', '.join(WEIGHTED)}; export it with --precision fp32"
            )
        gpu = target == "gpu"
        self._options = _GPU_OPTIONS if gpu else _cpu_options(self._tools, model.graph)
        quantised = {*_GPU_OPS} if gpu else _quantised_ops()
        present = {node.op_type for node in model.graph.node}
        self.between = bool(present & quantised - {*WEIGHTED, *_EXACT})

    def quantized(
        self, kept: Sequence[str] = (), between: bool = True, ran: Ran | None = None
    ) -> Any:
        """The model with `kept` layers in float32, and what lies `between` layers too, unless that
        is to be quantised.

        ran  is told of each image that the first call takes the ranges from
        """
        tools = self._tools
        gpu = self._target == "gpu"
        ops = [*WEIGHTED, *([] if gpu else _EXACT)]
        out = self._folder / "quantized.onnx"
        with _quiet():
            tools.quantize_static(
                str(self._model),
                str(out),
                _Reader(self._calibration.batches(self._spec), ran),
                quant_format=tools.QuantFormat.QDQ,
                op_types_to_quantize=ops if not between else _GPU_OPS if gpu else None,
                activation_type=tools.QuantType.QInt8 if gpu else tools.QuantType.QUInt8,
                weight_type=tools.QuantType.QInt8,
                per_channel=True,
                reduce_range=not gpu,
                nodes_to_exclude=list(kept),
                calibrate_method=tools.CalibrationMethod.MinMax,
                extra_options=self._options,
                calibration_cache_path=str(self._folder / "ranges"),
            )
        return self._onnx.load(str(out))


class _Reader:
    """What ONNX Runtime's calibrators read: a dict of inputs, or None at the end."""

    def __init__(self, batches: Iterator[npt.NDArray[np.float32]], ran: Ran | None) -> None:
        self._batches, self._ran, self._given = batches, ran, False

    def get_next(self) -> dict[str, npt.NDArray[np.float32]] | None:
        if self._given and self._ran is not None:  # asked for more: the one before is through
            self._ran(1)
        batch = next(self._batches, None)
        self._given = batch is not None
        return None if batch is None else {"input": batch}

    def __iter__(self) -> "_Reader":
        return self

    def __next__(self) -> dict[str, npt.NDArray[np.float32]]:
        batch = self.get_next()
        if batch is None:
            raise StopIteration
        return batch


def _cpu_options(tools: Any, graph: Any) -> dict[str, Any]:
    """Eight bits for the weights of depthwise convolutions."""
    eight_bits = {
        "axis": 0,
        "quant_type": tools.QuantType.QInt8,
        "symmetric": True,
        "reduce_range": False,
    }
    return {"TensorQuantOverrides": {name: [eight_bits] for name in _depthwise_weights(graph)}}


def _depthwise_weights(graph: Any) -> list[str]:
    """The weights of convolutions in which every channel is a group of its own."""
    shapes = {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    names = []
    for node in graph.node:
        if node.op_type == "Conv" and node.input[1] in shapes:
            groups = next((a.i for a in node.attribute if a.name == "group"), 1)
            if groups > 1 and shapes[node.input[1]][:2] == [groups, 1]:
                names.append(node.input[1])
    return names


def _quantised_ops() -> set[str]:
    """The operators that ONNX Runtime's quantiser takes where none are named."""
    from onnxruntime.quantization import registry

    return {*registry.QLinearOpsRegistry, *registry.QDQRegistry}


def _tools() -> Any:
    import onnxruntime.quantization

    return onnxruntime.quantization


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The quantiser recommends its own preprocessing on every call: our graph is folded."""
    previous = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(previous)
