"""ONNX classifiers to build engines from: real architectures in half precision, Q/DQ networks."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

from smoothcert.export.architectures import architecture


def half_model(path: Path, arch: str, num_classes: int, shape: tuple[int, int, int]) -> Path:
    """Write an architecture with random weights as a half-precision ONNX model."""
    module = architecture(arch, num_classes, shape).eval().half()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            (torch.zeros((1, *shape), dtype=torch.half),),
            str(path),
            input_names=["input"],
            output_names=["logits"],
            dynamic_axes={"input": {0: "N"}, "logits": {0: "N"}},
            opset_version=18,
            dynamo=False,
        )
    return path


def qdq_model(
    path: Path,
    *,
    activation: int = TensorProto.INT8,
    weight: int = TensorProto.INT8,
    zero_point: int = 0,
    explicit: bool = True,
    operator: str = "Relu",
) -> Path:
    """Write conv - ReLU - pool - logits with quantised input and weights.

    activation, weight  TensorProto types; zero_point of the activation
    explicit            whether the quantiser names its zero point (without: uint8, says ONNX)
    operator            replaces the ReLU
    """
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(8, 3, 3, 3)).astype(np.float32)
    nodes: list[Any] = []
    tensors = [numpy_helper.from_array(weights, "weight")]

    def quantised(name: str, scale: Any, kind: int, zero: int, axis: int | None = None) -> str:
        scales = np.asarray(scale, np.float32)
        tensors.append(numpy_helper.from_array(scales, f"{name}_scale"))
        inputs = [f"{name}_scale"]
        if explicit or name != "input":
            zeros = [float(zero) if kind == TensorProto.FLOAT8E4M3FN else zero] * scales.size
            tensors.append(helper.make_tensor(f"{name}_zero", kind, scales.shape, zeros))
            inputs.append(f"{name}_zero")
        where: dict[str, Any] = {} if axis is None else {"axis": axis}
        to, back = f"{name}_quantised", f"{name}_back"
        quantise = helper.make_node("QuantizeLinear", [name, *inputs], [to], **where)
        dequantise = helper.make_node("DequantizeLinear", [to, *inputs], [back], **where)
        quantise.name, dequantise.name = f"{name}_Q", f"{name}_DQ"
        nodes.extend((quantise, dequantise))
        return back

    image = quantised("input", 0.02, activation, zero_point)
    kernel = quantised("weight", np.full(8, 0.02), weight, 0, axis=0)
    nodes.append(helper.make_node("Conv", [image, kernel], ["c"], name="conv", pads=[1] * 4))
    nodes.append(helper.make_node(operator, ["c"], ["r"], name="after"))
    nodes.append(helper.make_node("GlobalAveragePool", ["r"], ["p"], name="pool"))
    nodes.append(helper.make_node("Flatten", ["p"], ["logits"], name="flatten"))
    graph = helper.make_graph(
        nodes,
        "quantised",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["N", 3, 32, 32])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", 8])],
        tensors,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)
    onnx.save(model, str(path))
    return path
