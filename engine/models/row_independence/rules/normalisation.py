"""Operators that normalise, sort or sum along axes of their own, which must not be the batch's."""

from smoothcert.engine.models.row_independence.call import Call, apart, axis_in, shape_at
from smoothcert.engine.models.row_independence.contraction import broadcast_to
from smoothcert.engine.models.row_independence.sizes import size
from smoothcert.engine.models.row_independence.values import Value
from smoothcert.engine.models.row_independence.verdict import refuse

_LAST_AXIS_SINCE = 13  # Softmax: before, all axes from `axis` on are one
_REDUCTIONS = (
    "ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd"
    " ReduceSum ReduceSumSquare"
)


def _layer_normalization(call: Call) -> list[Value]:
    rows = call.rows()
    call.constants(1)
    axis = call.axis("axis", -1, len(rows.shape))
    if rows.axis >= axis:
        refuse("normalises over the batch")
    broadcast_to(rows, call.values[1:], call.batch)
    statistic = rows.to([*rows.shape[:axis], *[size(1)] * (len(rows.shape) - axis)])
    return list([rows.to(rows.shape), statistic, statistic][: call.outputs])


def _mean_variance(call: Call) -> list[Value]:
    rows = call.rows()
    axes = call.attributes.get("axes", [0, 2, 3])
    if rows.axis in {axis_in(axis, len(rows.shape)) for axis in axes}:
        refuse("normalises over the batch")
    return [rows.to(rows.shape)]


def _lp_normalization(call: Call) -> list[Value]:
    rows = call.rows()
    apart(rows, call.attributes.get("axis", -1), "normalises")
    return [rows.to(rows.shape)]


def _softmax(call: Call) -> list[Value]:
    rows = call.rows()
    if call.opset >= _LAST_AXIS_SINCE:
        apart(rows, call.attributes.get("axis", -1), "normalises")
    elif rows.axis >= call.axis("axis", 1, len(rows.shape)):
        refuse("normalises along the batch")
    return [rows.to(rows.shape)]


def _cumulative(call: Call) -> list[Value]:
    rows = call.rows()
    (axis,) = call.numbers(1, "its axis")
    apart(rows, int(axis), "sums")
    return [rows.to(rows.shape)]


def _top_k(call: Call) -> list[Value]:
    rows = call.rows()
    axis = apart(rows, call.attributes.get("axis", -1), "sorts")
    if "k" in call.attributes:
        kept = int(call.attributes["k"])
    else:
        kept = int(call.numbers(1, "its count")[0])
    return [rows.resized(axis, kept)] * call.outputs


def _reduction(call: Call) -> list[Value]:
    rows = call.rows()
    axes = [int(axis) for axis in axes_of(call) or ()]
    if not axes and call.attributes.get("noop_with_empty_axes", 0):
        return [rows.to(rows.shape)]
    rank = len(rows.shape)
    return _reduced(call, {axis_in(axis, rank) for axis in axes} or set(range(rank)))


def _extreme(call: Call) -> list[Value]:
    return _reduced(call, {call.axis("axis", 0, len(shape_at(call.rows())))})


def _reduced(call: Call, axes: set[int]) -> list[Value]:
    rows = call.rows()
    if rows.axis in axes:
        refuse("takes one number of the whole batch")
    if call.attributes.get("keepdims", 1):
        return [rows.to([size(1) if i in axes else dim for i, dim in enumerate(rows.shape)])]
    shape = [dim for i, dim in enumerate(rows.shape) if i not in axes]
    return [rows.to(shape, rows.axis - sum(axis < rows.axis for axis in axes))]


def axes_of(call: Call) -> list[int] | None:
    """The axes that older opsets write as an attribute and newer ones as operand 1."""
    if call.value(1) is not None:
        return [int(axis) for axis in call.numbers(1, "its choice of axes")]
    return list(call.attributes["axes"]) if "axes" in call.attributes else None


RULES = {
    **dict.fromkeys(_REDUCTIONS.split(), _reduction),
    **dict.fromkeys(("ArgMax", "ArgMin"), _extreme),
    **dict.fromkeys(("LayerNormalization", "RMSNormalization"), _layer_normalization),
    **dict.fromkeys(("Hardmax", "LogSoftmax", "Softmax"), _softmax),
    "CumSum": _cumulative,
    "LpNormalization": _lp_normalization,
    "MeanVarianceNormalization": _mean_variance,
    "TopK": _top_k,
}
