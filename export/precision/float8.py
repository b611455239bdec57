"""fp8: a signed, symmetric int8 model's pairs with E4M3 numbers in place of integers."""

from typing import Any

import numpy as np

from smoothcert.engine.base.errors import require

FLOAT8_OPSET = 19
"""The first opset whose QuantizeLinear makes float8."""

E4M3_LARGEST = 448.0


def to_float8(model: Any, floats: Any) -> Any:
    """A copy of a `gpu` int8 model (quantize.py) with E4M3 in place of int8.

    floats  the onnx.ModelProto the int8 model was made from: weights are rounded once, from it

    The largest magnitude that an int8 scale s reached, 127 s, becomes E4M3's largest, 448.
    Weights keep one scale per output channel.
    """
    onnx = require("onnx", "export", "exporting to ONNX")
    eight = onnx.version_converter.convert_version(model, FLOAT8_OPSET)
    kind = onnx.TensorProto.FLOAT8E4M3FN
    dtype = onnx.helper.tensor_dtype_to_np_dtype(kind)
    tensors = {tensor.name: tensor for tensor in eight.graph.initializer}
    weights = {tensor.name: tensor for tensor in floats.graph.initializer}
    rescaled: dict[str, Any] = {}
    for node in eight.graph.node:
        if node.op_type not in ("QuantizeLinear", "DequantizeLinear"):
            continue
        values, scale_name, zero_name = node.input
        if scale_name not in rescaled:
            scale = onnx.numpy_helper.to_array(tensors[scale_name])
            rescaled[scale_name] = (scale * (127.0 / E4M3_LARGEST)).astype(np.float32)
            _replace(onnx, tensors[scale_name], rescaled[scale_name])
            zero = np.zeros(scale.shape, dtype)
            _replace(onnx, tensors[zero_name], zero)
        if values in tensors:  # a weight, stored quantised
            axis = next((a.i for a in node.attribute if a.name == "axis"), 0)
            weight = onnx.numpy_helper.to_array(weights[values.removesuffix("_quantized")])
            scale = rescaled[scale_name]
            if scale.ndim:
                scale = scale.reshape([-1 if i == axis else 1 for i in range(weight.ndim)])
            scaled = np.clip(weight / scale, -E4M3_LARGEST, E4M3_LARGEST)
            _replace(onnx, tensors[values], scaled.astype(dtype))
    for value in eight.graph.value_info:
        if value.type.tensor_type.elem_type == onnx.TensorProto.INT8:
            value.type.tensor_type.elem_type = kind
    return eight


def _replace(onnx: Any, tensor: Any, values: Any) -> None:
    tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))
