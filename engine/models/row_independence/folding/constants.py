"""Nodes whose operands are all constants: their results, or at least their shapes."""

from typing import Any

import numpy as np
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from smoothcert.engine.models.row_independence.call import Call
from smoothcert.engine.models.row_independence.folding.arithmetic import cast, exact
from smoothcert.engine.models.row_independence.folding.moves import MOVES, TooLargeError
from smoothcert.engine.models.row_independence.sizes import product, shape_of
from smoothcert.engine.models.row_independence.values import (
    LARGEST,
    Array,
    Constant,
    Value,
    constant,
)

_TYPED: dict[str, type[np.generic]] = {
    "value_float": np.float32,
    "value_floats": np.float32,
    "value_int": np.int64,
    "value_ints": np.int64,
}
# The reference evaluator is asked only about these, and only about integers and truth values: of
# floating point it need not round as a runtime does. None gives more than its operands have.
_EVALUATED = (
    "CumSum GatherElements NonZero ReduceMax ReduceMin ReduceProd ReduceSum"
    " ScatterElements ScatterND Sign Trilu"
)


def fold(call: Call) -> list[Value]:
    """The results of a node that has constants alone for operands. Stops where not even a shape is
    known."""
    if call.operator == "Constant":
        return [_literal(call)]
    numbers = [v.value if isinstance(v, Constant) else None for v in call.values]
    known = [n is not None or v is None for n, v in zip(numbers, call.values, strict=True)]
    found = _computed(call, numbers) if all(known) else None
    if found is None:
        return [Constant(shape) for shape in call.infer(call.node, call.values)]
    return [constant(result) for result in found]


def initial(tensor: Any) -> Constant:
    """A TensorProto as a constant: without its numbers where they are many or in another file."""
    shape = shape_of(tensor.dims)
    if tensor.data_location == tensor.EXTERNAL or int(product(shape)) > LARGEST:
        return Constant(shape)
    return Constant(shape, numpy_helper.to_array(tensor))


def _literal(call: Call) -> Constant:
    ((name, content),) = call.attributes.items()
    return initial(content) if name == "value" else constant(np.array(content, _TYPED[name]))


def _computed(call: Call, operands: list[Array | None]) -> list[Array] | None:
    given = [operand for operand in operands if operand is not None]
    if call.node.domain not in ("", "ai.onnx"):
        return None
    if call.operator in MOVES:
        try:
            return MOVES[call.operator](operands, call.attributes, call.outputs)
        except TooLargeError:
            return None
    if call.operator == "Cast":
        target = np.dtype(helper.tensor_dtype_to_np_dtype(call.attributes["to"]))
        result = cast(given[0], target)
    elif call.operator == "ConstantOfShape":
        result = _filled(given[0], call.attributes.get("value"))
    elif call.operator == "Range":
        result = _range(*given)
    else:
        result = exact(call.operator, given)
    return _evaluated(call, operands) if result is None else [result]


def _filled(dims: Array, tensor: Any) -> Array | None:
    filling = np.zeros(1, np.float32) if tensor is None else numpy_helper.to_array(tensor)
    if int(product(dims.tolist())) > LARGEST:
        return None
    return np.full(dims.tolist(), filling.reshape(()), filling.dtype)


def _range(start: Array, limit: Array, step: Array) -> Array | None:
    if not np.issubdtype(start.dtype, np.integer):
        return None
    found = range(int(start.item()), int(limit.item()), int(step.item()))
    return np.array(found, start.dtype) if len(found) <= LARGEST else None


def _evaluated(call: Call, operands: list[Array | None]) -> list[Array] | None:
    given = [operand for operand in operands if operand is not None]
    whole = all(np.issubdtype(o.dtype, np.integer) or o.dtype == np.bool_ for o in given)
    if call.operator not in _EVALUATED.split() or not whole:
        return None
    feeds = {n: o for n, o in zip(call.node.input, operands, strict=True) if o is not None}
    results = ReferenceEvaluator(call.node, opsets={"": call.opset}).run(None, feeds)
    return [np.asarray(result) for result in results]
