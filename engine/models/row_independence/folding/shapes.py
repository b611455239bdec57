"""Shapes of results as onnx infers them, of one node alone: what a file says of its own tensors may
be stale."""

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper, shape_inference

from smoothcert.engine.models.row_independence.sizes import Shape, shape_of
from smoothcert.engine.models.row_independence.values import Constant, Counts, Lost, Rows, Value
from smoothcert.engine.models.row_independence.verdict import unknown

_TOLD = 1024  # entries of a constant that onnx may read a shape from

_FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.DOUBLE)


class Inference:
    """onnx's shape inference, node by node.

    opsets  versions by domain
    types   element types by tensor: those of initializers, and what was inferred before
    """

    def __init__(self, opsets: dict[str, int], types: dict[str, int]) -> None:
        self._opsets, self.types = opsets, types
        self._imports = [helper.make_opsetid(name, version) for name, version in opsets.items()]

    def __call__(self, node: Any, values: list[Value | None]) -> list[Shape]:
        """The outputs' shapes where N = 1; stops the rule where one is not known."""
        types, data = {}, {}
        for name, value in zip(node.input, values, strict=True):
            if value is None or isinstance(value, Lost):
                continue
            kind, numbers = self._described(name, value)
            types[name] = helper.make_tensor_type_proto(kind, [d.at_one() for d in value.shape])
            if numbers is not None and numbers.size <= _TOLD:
                data[name] = numpy_helper.from_array(np.ascontiguousarray(numbers), name)
        version = self._opsets.get(node.domain, 1)
        schema = onnx.defs.get_schema(node.op_type, version, node.domain)
        found = shape_inference.infer_node_outputs(
            schema, node, types, data, opset_imports=self._imports
        )
        return [self._shape(name, found) if name else () for name in node.output]

    def _described(self, name: str, value: Value) -> tuple[int, Any]:
        if isinstance(value, Counts):
            numbers = np.array([entry.at_one() for entry in value.value.flat], value.kind)
            kind = int(helper.np_dtype_to_tensor_dtype(numbers.dtype))
            return kind, numbers.reshape(value.value.shape)
        if isinstance(value, Constant) and value.value is not None:
            kind = int(helper.np_dtype_to_tensor_dtype(value.value.dtype))
            if kind in _FLOATS:
                return TensorProto.FLOAT, value.value.astype(np.float32)
            return kind, value.value
        # A rule asks for shapes alone, which do not hang on what rows are made of; nor on which
        # floats a constant holds, but onnx wants both to be of one type.
        kind = TensorProto.FLOAT if isinstance(value, Rows) else self.types.get(name, 1)
        return TensorProto.FLOAT if kind in _FLOATS else kind, None

    def _shape(self, name: str, found: Any) -> Shape:
        tensor = found[name].tensor_type
        if not tensor.HasField("shape") or any(
            not dim.HasField("dim_value") for dim in tensor.shape.dim
        ):
            unknown("the shape of its result is not known")
        self.types[name] = tensor.elem_type
        return shape_of(dim.dim_value for dim in tensor.shape.dim)
