"""Operators of com.microsoft, which ONNX Runtime's optimiser and quantiser write."""

from collections.abc import Callable

from smoothcert.engine.models.row_independence.call import Call, apart, shape_at
from smoothcert.engine.models.row_independence.contraction import broadcast, broadcast_to
from smoothcert.engine.models.row_independence.rules.elementwise import entrywise
from smoothcert.engine.models.row_independence.rules.pieces import concatenated
from smoothcert.engine.models.row_independence.rules.products import (
    gemm,
    gemm_with_bias,
    matrix_product,
    required,
    scalars,
)
from smoothcert.engine.models.row_independence.rules.quantisation import quantise
from smoothcert.engine.models.row_independence.rules.windows import windows
from smoothcert.engine.models.row_independence.sizes import size
from smoothcert.engine.models.row_independence.values import Value
from smoothcert.engine.models.row_independence.verdict import refuse, unknown

_LAST_AXIS_SINCE = 13


def _fused_conv(call: Call) -> list[Value]:
    if call.value(3) is not None:
        unknown("a fused sum is not followed")
    return windows(call)


def _fused_matmul(call: Call) -> list[Value]:
    if call.attributes.get("transBatchA", 0) or call.attributes.get("transBatchB", 0):
        unknown("transposes axes of its batch")
    turned = (bool(call.attributes.get("transA", 0)), bool(call.attributes.get("transB", 0)))
    return [matrix_product(required(call, 0), required(call, 1), call.batch, turned)]


def _integer_to_float(call: Call) -> list[Value]:
    """A, B, their scales, their zero points, bias: MatMulIntegerToFloat."""
    scalars([call.value(2), call.value(4)])
    call.constants(3, 4, "a scale")
    call.constants(5, what="a zero point or bias")
    result = matrix_product(required(call, 0), required(call, 1), call.batch)
    return [broadcast_to(result, [call.value(6)], call.batch)]


def _qgemm(call: Call) -> list[Value]:
    """A with scale and zero point, B with its, C, and the result's."""
    scalars([call.value(index) for index in (1, 2, 7, 8)])
    call.constants(4, 7, "a scale or bias")
    return [gemm(call, required(call, 0), required(call, 3))]


def _quantised_pair(call: Call) -> list[Value]:
    """QLinearAdd and QLinearMul: A and B each with scale and zero point, and the result's."""
    scalars([call.value(index) for index in (1, 2, 4, 5, 6, 7)])
    return [broadcast([required(call, 0), required(call, 3)], call.batch)]


def _quantised_entries(call: Call) -> list[Value]:
    rows = call.rows()
    scalars(call.values[1:])
    return [rows.to(rows.shape)]


def _quantised_softmax(call: Call) -> list[Value]:
    rows = call.rows()
    scalars(call.values[1:])
    if call.attributes.get("opset", 0) < _LAST_AXIS_SINCE:
        unknown("the softmax of an old opset is not followed")
    apart(rows, call.attributes.get("axis", -1), "normalises")
    return [rows.to(rows.shape)]


def _quantised_global_pool(call: Call) -> list[Value]:
    rows = call.rows()
    scalars(call.values[1:])
    if rows.axis != 0 or call.attributes.get("channels_last", 0):
        unknown("the batch is not followed where channels come last, or at another axis than 0")
    return [rows.to([*rows.shape[:2], *[size(1)] * (len(rows.shape) - 2)])]


def _quantised_concat(call: Call) -> list[Value]:
    """The result's scale and zero point, then each operand with its own."""
    scalars(call.values[:2])
    scalars([value for index, value in enumerate(call.values[2:]) if index % 3])
    parts = [value for value in call.values[2::3] if value is not None]
    return [concatenated(parts, int(call.attributes["axis"]), call.batch)]


def _skip_layer_normalization(call: Call) -> list[Value]:
    """input, skip, gamma, beta, bias; the fourth output is the sum before it is normalised."""
    call.constants(2)
    if any(value is not None and len(shape_at(value)) != 1 for value in call.values[2:]):
        unknown("its weights have another shape")
    result = broadcast([required(call, 0), required(call, 1)], call.batch)
    if result.axis == len(result.shape) - 1:
        refuse("normalises over the batch")
    statistic = result.resized(len(result.shape) - 1, 1)
    return list([result, statistic, statistic, result][: call.outputs])


MICROSOFT_RULES: dict[str, Callable[[Call], list[Value]]] = {
    "BiasGelu": entrywise,
    "DequantizeLinear": quantise,
    "FastGelu": entrywise,
    "FusedConv": _fused_conv,
    "FusedGemm": gemm_with_bias,
    "FusedMatMul": _fused_matmul,
    "Gelu": entrywise,
    "MatMulIntegerToFloat": _integer_to_float,
    "QGemm": _qgemm,
    "QLinearAdd": _quantised_pair,
    "QLinearConcat": _quantised_concat,
    "QLinearGlobalAveragePool": _quantised_global_pool,
    "QLinearLeakyRelu": _quantised_entries,
    "QLinearMul": _quantised_pair,
    "QLinearSigmoid": _quantised_entries,
    "QLinearSoftmax": _quantised_softmax,
    "QuantizeLinear": quantise,
    "QuickGelu": entrywise,
    "SkipLayerNormalization": _skip_layer_normalization,
}
