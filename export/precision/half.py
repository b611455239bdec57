"""A float32 ONNX model as a half-precision one: weights, constants, inputs, outputs."""

from typing import Any

import numpy as np

from smoothcert.engine.base.errors import InputError, require

BFLOAT16_OPSET = 22
"""The first opset whose convolutions and poolings take bfloat16."""

# Resize wants its scales in float32 whatever the type of what it resizes.
_ALWAYS_FLOAT32 = {"Resize": 2}


def to_half(model: Any, precision: str) -> Any:
    """A copy of an onnx.ModelProto in which every float32 is float16 or bfloat16.

    precision  fp16 or bf16

    Each weight is rounded once, to nearest even; batch norm should be folded before, in float32.
    Inputs and logits take the half type too. Raises InputError for a weight beyond float16.
    """
    onnx = require("onnx", "export", "exporting to ONNX")
    if precision == "bf16":
        half = onnx.version_converter.convert_version(model, BFLOAT16_OPSET)
    else:
        half = onnx.ModelProto()
        half.CopyFrom(model)
    _Converter(onnx, precision).graph(half.graph)
    return half


def rounded_results(half: Any) -> Any:
    """A float32 model that computes what a half one does: every weight, input and layer's result
    is rounded to the half type, sums inside a layer are float32.

    Runtimes with half kernels work so, up to the order of sums; ONNX Runtime, which has no
    bfloat16 kernels on a CPU, can thus tell how a bfloat16 model votes.
    """
    onnx = require("onnx", "export", "exporting to ONNX")
    kinds = (onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16)
    typed = onnx.shape_inference.infer_shapes(half)
    known = [*typed.graph.input, *typed.graph.output, *typed.graph.value_info]
    halves = {v.name: v.type.tensor_type.elem_type for v in known}
    halves = {name: kind for name, kind in halves.items() if kind in kinds}
    model = onnx.ModelProto()
    model.CopyFrom(half)
    graph = model.graph
    for tensor in graph.initializer:
        _widen(onnx, tensor, kinds)
    for value in [*graph.input, *graph.output]:
        value.type.tensor_type.elem_type = onnx.TensorProto.FLOAT
    graph.ClearField("value_info")
    nodes = list(graph.node)
    graph.ClearField("node")

    def rounding(name: str, result: str, kind: int) -> list[Any]:
        return [
            onnx.helper.make_node("Cast", [name], [f"{name}_half"], to=kind),
            onnx.helper.make_node("Cast", [f"{name}_half"], [result], to=onnx.TensorProto.FLOAT),
        ]

    inputs = {value.name for value in graph.input}
    for name in inputs:
        graph.node.extend(rounding(name, f"{name}_rounded", halves[name]))
    for node in nodes:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                _widen(onnx, attribute.t, kinds)
        node.input[:] = [f"{name}_rounded" if name in inputs else name for name in node.input]
        results = [name for name in node.output if name in halves]
        node.output[:] = [f"{name}_exact" if name in halves else name for name in node.output]
        graph.node.append(node)
        for name in results:
            graph.node.extend(rounding(f"{name}_exact", name, halves[name]))
    return model


def _widen(onnx: Any, tensor: Any, kinds: tuple[int, int]) -> None:
    if tensor.data_type in kinds:
        values = onnx.numpy_helper.to_array(tensor).astype(np.float32)
        tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))


class _Converter:
    def __init__(self, onnx: Any, precision: str) -> None:
        self._onnx = onnx
        self._precision = precision
        self._float = onnx.TensorProto.FLOAT
        self._half = onnx.TensorProto.FLOAT16 if precision == "fp16" else onnx.TensorProto.BFLOAT16
        self._kept: set[str] = set()

    def graph(self, graph: Any) -> None:
        """Convert a graph in place, and those inside its nodes."""
        self._kept |= {
            node.input[_ALWAYS_FLOAT32[node.op_type]]
            for node in graph.node
            if len(node.input) > _ALWAYS_FLOAT32.get(node.op_type, len(node.input))
        }
        for tensor in graph.initializer:
            if tensor.name not in self._kept:
                self.tensor(tensor, tensor.name)
        for value in [*graph.input, *graph.output, *graph.value_info]:
            kind = value.type.tensor_type
            if kind.elem_type == self._float and value.name not in self._kept:
                kind.elem_type = self._half
        for node in graph.node:
            if not self._kept.intersection(node.output):
                self.node(node)

    def node(self, node: Any) -> None:
        """Convert a node's constants."""
        for attribute in node.attribute:
            if attribute.HasField("t"):
                self.tensor(attribute.t, node.name or node.op_type)
            elif attribute.HasField("g"):
                self.graph(attribute.g)
            elif node.op_type == "Cast" and attribute.name == "to" and attribute.i == self._float:
                attribute.i = self._half
            elif node.op_type == "Constant" and attribute.name in ("value_float", "value_floats"):
                values = attribute.f if attribute.name == "value_float" else list(attribute.floats)
                tensor = self._onnx.numpy_helper.from_array(np.array(values, np.float32))
                self.tensor(tensor, node.name)
                attribute.CopyFrom(self._onnx.helper.make_attribute("value", tensor))

    def tensor(self, tensor: Any, name: str) -> None:
        """Round a float32 tensor in place."""
        if tensor.data_type != self._float:
            return
        values = self._onnx.numpy_helper.to_array(tensor)
        dtype = self._onnx.helper.tensor_dtype_to_np_dtype(self._half)
        with np.errstate(over="ignore"):
            rounded = values.astype(dtype)
        lost = ~np.isfinite(rounded.astype(np.float32)) & np.isfinite(values)
        if lost.any():
            raise InputError(
                f"weight {name} has {values[lost].flat[0]:g}, too large for {self._precision}: "
                "expected at most 65504; export with --precision bf16"
            )
        tensor.CopyFrom(self._onnx.numpy_helper.from_array(rounded, tensor.name))
