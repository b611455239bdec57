"""Operators that treat each entry alone, or entries that meet by broadcasting."""

from smoothcert.engine.models.row_independence.call import Call
from smoothcert.engine.models.row_independence.contraction import broadcast
from smoothcert.engine.models.row_independence.values import Value
from smoothcert.engine.models.row_independence.verdict import unknown

_ENTRYWISE = (
    "Abs Acos Acosh Add And Asin Asinh Atan Atanh BitShift BitwiseAnd BitwiseNot BitwiseOr"
    " BitwiseXor Cast Ceil Celu Clip Cos Cosh Div Elu Equal Erf Exp Floor Gelu Greater"
    " GreaterOrEqual HardSigmoid HardSwish Identity IsInf IsNaN LeakyRelu Less LessOrEqual Log Max"
    " Mean Min Mish Mod Mul Neg Not Or PRelu Pow Reciprocal Relu Round Selu Shrink Sigmoid Sign Sin"
    " Sinh Softplus Softsign Sqrt Sub Sum Swish Tan Tanh ThresholdedRelu Where Xor"
)


def entrywise(call: Call) -> list[Value]:
    """One function of the entries that meet."""
    return [broadcast(call.given, call.batch)]


def _like_first(call: Call) -> list[Value]:
    """Dropout that drops nothing, CastLike (its second operand lends a type alone)."""
    rows = call.rows()
    return [rows.to(rows.shape)] * call.outputs


def _batch_normalization(call: Call) -> list[Value]:
    rows = call.rows()
    call.constants(1, what="a statistic")
    if rows.axis == 1:
        unknown("the batch lies at the axis of its channels")
    return [rows.to(rows.shape)]


RULES = {
    **dict.fromkeys(_ENTRYWISE.split(), entrywise),
    "BatchNormalization": _batch_normalization,
    "CastLike": _like_first,
    "Dropout": _like_first,
}
