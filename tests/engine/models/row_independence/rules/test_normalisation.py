"""Operators along axes of their own, which must not be the batch's."""

import numpy as np
import pytest
from row_graphs import Case, meddled, proven, random, refused, unproven

CASES = [
    proven("y = Softmax<axis=1>(x)"),
    proven("y = Softmax<axis=-1>(x)"),
    proven("y = LogSoftmax(x)", opset=11),
    proven("y = Hardmax(x)"),
    proven("m = ReduceMean<axes=[1]>(x) y = Sub(x, m)", opset=13),
    proven("m = ReduceSumSquare<keepdims=0>(x, last) y = Flatten(m)"),
    proven("y = ReduceMax<noop_with_empty_axes=1>(x)"),
    proven("t = Transpose(x) m = ReduceMax<keepdims=0>(t, i0) y = Unsqueeze(m, i1)"),
    proven("i = ArgMax<axis=1>(x) y = Cast<to=1>(i)"),
    proven("y = CumSum(x, one)"),
    proven("v, i = TopK(x, i2) f = Cast<to=1>(i) y = Concat<axis=1>(v, f)"),
    proven("v, i = TopK<k=2>(x) f = Cast<to=1>(i) y = Concat<axis=1>(v, f)", opset=9),
    proven("y = LayerNormalization(x, s, b)", s=random(4), b=random(4)),
    proven("v = MeanVarianceNormalization<axes=[2,3]>(x) y = Flatten(v)", shape="N,2,2,2"),
    proven("y = LpNormalization<axis=1>(x)"),
    refused("Softmax", "y = Softmax<axis=0>(x)"),
    refused("Softmax", "y = Softmax<axis=0>(x)", opset=11),
    # Before opset 13, all axes from the first on are one.
    refused("Softmax", "t = Transpose(x) p = Softmax<axis=0>(t) y = Transpose(p)", opset=12),
    proven("t = Transpose(x) p = Softmax<axis=0>(t) y = Transpose(p)", opset=13),
    refused("LogSoftmax", "y = LogSoftmax<axis=-2>(x)"),
    refused("ReduceMean", "m = ReduceMean(x) y = Sub(x, m)"),
    refused("ReduceMean", "m = ReduceMean(x, i0) y = Sub(x, m)"),
    refused("ReduceMax", "a = Abs(x) m = ReduceMax<keepdims=0>(a) y = Div(x, m)"),
    refused(
        "ReduceMax",
        "t = Transpose<perm=[1,2,0]>(x) y = ReduceMax<keepdims=0>(t, i2)",
        shape="4,4,4",
    ),
    refused(
        "ReduceMax",
        "t = Transpose<perm=[2,0,1]>(x) u = Transpose<perm=[2,0,1]>(t) "
        "v = ReduceMax<keepdims=0>(u, i2) y = Flatten(v)",
        shape="4,4,4",
    ),
    unproven("", "t = Transpose<perm=[1,2,0]>(x) y = ReduceSum<keepdims=0>(t, i0)", shape="4,4,4"),
    unproven(
        "",
        "t = Transpose<perm=[1,0,2]>(x) m = ReduceMax<keepdims=0>(t, i0) y = Transpose(m)",
        shape="4,4,4",
    ),
    refused("ReduceMax", "m = ReduceMax(x, i0) c = Equal(x, m) y = Where(c, x, m)"),
    refused("ReduceMean", "m = ReduceMean<keepdims=0>(x) y = Clip(x, , m)"),
    unproven("ReduceMax", "i = ArgMax<axis=1,keepdims=0>(x) y = ReduceMax(x, i)"),
    refused("ArgMax", "i = ArgMax<axis=0>(x) f = Cast<to=1>(i) y = Add(x, f)"),
    refused("CumSum", "y = CumSum(x, zero)"),
    refused("CumSum", "y = CumSum(x, minus)", minus=np.array(-2)),
    refused("TopK", "y, i = TopK<axis=0>(x, i6)", shape="6,4"),
    refused("TopK", "y, i = TopK<axis=-2>(x, i6)", shape="6,4"),
    refused(
        "LayerNormalization", "y = LayerNormalization<axis=0>(x, s)", shape="6,4", s=np.ones((6, 4))
    ),
    refused(
        "LayerNormalization", "y = LayerNormalization<axis=1>(x, s)", shape="6,4", s=random(6, 4)
    ),
    refused(
        "MeanVarianceNormalization",
        "v = MeanVarianceNormalization(x) y = Flatten(v)",
        shape="N,2,2,2",
    ),
    refused("LpNormalization", "y = LpNormalization<axis=0>(x)"),
    unproven("Softmax", "y = Softmax<axis=5>(x)"),
    *meddled("LayerNormalization", "y = LayerNormalization(x, $s, $s)", shape="4,4", s=np.ones(4)),
    unproven(
        "LayerNormalization",
        "n = LayerNormalization(x, s) y = Squeeze(n, i1)",
        s=np.ones((1, 1, 4)),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_verdict(case: Case) -> None:
    case.check()
