"""What follows from constants alone: exactly, or only its shape."""

import numpy as np
import pytest
from row_graphs import Case, proven, random, refused, unproven


def shaped(computed: str, **weights: object) -> Case:
    """`computed` makes s, which must come to [-1, 2, 2]: nothing else lets the rest pass."""
    return proven(
        f"{computed} r = Reshape(x, s) t = Transpose<perm=[0,2,1]>(r) y = Flatten(t)", **weights
    )


SUMS = (
    "a = Add(c, d) b = Slice(a, i0, i1, i0) s = Reshape(b, last) "
    "u = Slice(s, i0, i3, i0) r = Reshape(x, u) y = Flatten(r)"
)

CASES = [
    shaped("s = Constant<value_ints=[-1,2,2]>()"),
    shaped("s = Constant<value=int64[3] {-1,2,2}>()"),
    shaped("a = Constant<value_int=2>() b = Unsqueeze(a, i0) s = Concat<axis=0>(m, b, b)", m=[-1]),
    shaped("a = Add(i1, i1) b = Sub(i1, i2) c = Mul(a, i1) s = Concat<axis=0>(b, c, a)"),
    # Rounded to zero: floor would give -2.
    shaped("a = Div(m, i2) b = Div(i5, i2) s = Concat<axis=0>(a, b, i2)", m=[-3]),
    shaped("a = Sqrt(f) b = Cast<to=7>(a) s = Concat<axis=0>(m, b, i2)", f=[4.9], m=[-1]),
    shaped(
        "a = Slice(l, last, low, i0, last) s = Gather(a, i)",
        l=[2, 5, -1],
        low=[-(2**62)],
        i=[0, 2, 2],
    ),
    shaped("a = Transpose(l) f = Flatten<axis=0>(a) s = Squeeze(f, i0)", l=[[-1], [2], [2]]),
    shaped("a = Expand(i2, i2) s = Concat<axis=0>(m, a)", m=[-1]),
    shaped("a = Tile(i2, i2) s = Concat<axis=0>(m, a)", m=[-1]),
    shaped("a, b = Split<num_outputs=2>(l) s = Concat<axis=0>(b, a)", l=[2, 2, -1]),
    shaped(
        "a = Range(two, four, one) b = ReduceMin(a) s = Concat<axis=0>(m, b, i2)",
        two=np.array(2),
        m=[-1],
    ),
    shaped("a = ConstantOfShape<value=int64[1] {2}>(i2) s = Concat<axis=0>(m, a)", m=[-1]),
    shaped("g = Greater(i2, i1) a = Where(g, i2, i3) s = Concat<axis=0>(m, a, a)", m=[-1]),
    shaped("a = ReduceProd(l) b = Mod(i5, i3) s = Concat<axis=0>(m, a, b)", l=[1, 2], m=[-1]),
    shaped(
        "a = Shape(w) b = Size(v) c = Unsqueeze(b, i0) s = Concat<axis=0>(m, a, c)",
        w=random(2),
        v=random(2),
        m=[-1],
    ),
    shaped(
        "e = Equal(i1, i1) s = If(e) <then_branch = t () => (int64 p) { "
        "p = Identity(good) }, else_branch = f () => (int64 q) { q = Identity(bad) }>",
        good=[-1, 2, 2],
        bad=[2, -1, 2],
    ),
    # No runtime need round these as another does: only the shape is known.
    unproven(
        "Reshape",
        "a = Exp(f) b = Cast<to=7>(a) s = Concat<axis=0>(m, b, i2) r = Reshape(x, s) "
        "y = Flatten(r)",
        f=[0.7],
        m=[-1],
    ),
    unproven(
        "If",
        "e = Exp(f) l = Less(e, g) y = If(l) <then_branch = t () => (float p) { "
        "p = Neg(x) }, else_branch = f () => (float q) { q = Relu(x) }>",
        f=np.float32(1),
        g=np.float32(3),
    ),
    unproven(
        "Reshape",
        "a = Cast<to=7>(f) s = Concat<axis=0>(m, a, i2) r = Reshape(x, s) y = Flatten(r)",
        f=[1e30],
        m=[-1],
    ),
    proven("e = Exp(w) y = Mul(x, e)", w=random(1, 4)),
    proven("t = Transpose(w) y = MatMul(x, t)", w=random(3, 4)),
    # More entries than are followed: the shape is enough, unless they lie along the batch.
    proven("t = Transpose(w) m = MatMul(x, t) y = Slice(m, i0, i8, i1)", w=random(20_000, 4)),
    proven(
        "c = ConstantOfShape(n) e = Expand(c, n) s = ReduceMax(e, i0) y = Slice(s, i0, i4, i0)"
        if False
        else "c = Expand(i1, n) f = Cast<to=1>(c) g = Slice(f, i0, i4, i0) y = Add(x, g)",
        n=[100_000],
    ),
    unproven("Add", "w = Tile(c, n) y = Add(x, w)", shape="20000,4", c=random(1, 4), n=[20_000, 1]),
    refused("Add", "y = Add(x, c)", shape="6,4", c=np.arange(24.0).reshape(6, 4)),
    # The reference evaluator adds floats in an order of its own.
    unproven(
        "Reshape",
        "a = ReduceSum<keepdims=1>(f) b = Cast<to=7>(a) s = Concat<axis=0>(m, b, i2) "
        "r = Reshape(x, s) y = Flatten(r)",
        f=[1.5, 0.6],
        m=[-1],
    ),
    unproven(
        "NonZero",
        "e = Exp(f) i = NonZero(e) j = Squeeze(i, i0) y = Gather<axis=1>(x, j)",
        f=[0.0, 1.0],
    ),
    unproven(
        "ReduceSum",
        "e = Exp(f) a = Cast<to=7>(e) r = ReduceSum(w, a) y = Add(x, r)",
        f=[0.0],
        w=random(2, 4),
    ),
    # 90,000 sums are too many to follow; 300 tell the shape.
    unproven("Reshape", SUMS, c=np.full((300, 1), 1), d=np.array([[-2, 1, 1] * 100])),
    proven(SUMS, c=np.full((1, 1), 1), d=np.array([[-2, 1, 1] * 100])),
    unproven("Reshape", "m = Mod(k, i3) s = Concat<axis=0>(last, m) y = Reshape(x, s)", k=[-2]),
    proven(
        "g = Xor(false, true) y = If(g) <then_branch = t () => (float p) { p = Neg(x) }, "
        "else_branch = f () => (float q) { q = ReduceMax(x) }>"
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_verdict(case: Case) -> None:
    case.check()
