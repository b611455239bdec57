"""Numbers that follow from the batch size: as shapes they are followed, as data they are no
function of a row."""

import numpy as np
import pytest
from row_graphs import Case, proven, random, refused, unproven

N = "n = Shape<end=1>(x)"


def kept(computed: str, **options: object) -> Case:
    """`computed` makes s, which must come to [N, 2, 2]."""
    return proven(
        f"{computed} r = Reshape(x, s) t = Transpose<perm=[0,2,1]>(r) y = Flatten(t)", **options
    )


CASES = [
    kept(f"{N} s = Concat<axis=0>(n, i2, i2)"),
    kept("h = Shape(x) n = Gather(h, i0) s = Concat<axis=0>(n, i2, i2)"),
    kept("h = Shape(x) n = Slice(h, i0, i1) s = Concat<axis=0>(n, i2, i2)", opset=13),
    kept("h = Shape(x) g = Gather(h, zero) n = Unsqueeze(g, i0) s = Concat<axis=0>(n, i2, i2)"),
    kept(
        "h = Shape(x) a = ReduceProd<keepdims=0>(h) b = Div(a, four) n = Reshape(b, i1) "
        "s = Concat<axis=0>(n, i2, i2)"
    ),
    kept("z = Size(x) b = Div(z, four) n = Reshape(b, i1) s = Concat<axis=0>(n, i2, i2)"),
    kept(
        f"{N} a = Mul(n, i6) b = Sub(a, n) c = Add(b, n) d = Neg(c) e = Div(d, m) "
        "s = Concat<axis=0>(e, i2, i2)",
        m=[-6],
    ),
    kept(f"{N} a = Mul(n, i2) b = Max(a, n) c = Min(b, n) s = Concat<axis=0>(c, i2, i2)"),
    kept(f"{N} g = Greater(n, i0) a = Where(g, n, last) s = Concat<axis=0>(a, i2, i2)"),
    kept(f"{N} c = Cast<to=7>(n) s = Concat<axis=0>(c, i2, i2)"),
    kept(
        f"{N} a = Cast<to=6>(n) b = Add(a, a) c = Cast<to=7>(b) d = Div(c, i2) "
        "s = Concat<axis=0>(d, i2, i2)"
    ),
    kept(
        "h = Shape(x) a = Cast<to=6>(h) b = Slice(a, i0, i1) c = Cast<to=7>(b) "
        "s = Concat<axis=0>(c, i2, i2)",
        opset=13,
    ),
    # 2^19 rows * 2^12 are -2^31 in int32: the quotient would not be N.
    unproven(
        "Mul",
        f"{N} a = Cast<to=6>(n) b = Mul(a, many) c = Cast<to=7>(b) d = Div(c, wide) "
        "s = Concat<axis=0>(d, i2, i2) r = Reshape(x, s) y = Flatten(r)",
        many=np.array([1 << 12], np.int32),
        wide=[1 << 12],
    ),
    kept(
        f"{N} a = Concat<axis=0>(n, i2) b, c = Split<num_outputs=2>(a) s = Concat<axis=0>(b, c, c)"
    ),
    unproven(
        "Equal",
        f"{N} e = Equal(n, i1) a = Where(e, n, last) s = Concat<axis=0>(a, i2, i2) "
        "r = Reshape(x, s) y = Flatten(r)",
    ),
    unproven(
        "Greater",
        f"{N} e = Greater(n, i3) y = If(e) <then_branch = t () => (float p) {{ "
        f"p = Neg(x) }}, else_branch = f () => (float q) {{ q = Relu(x) }}>",
    ),
    unproven(
        "Div", f"{N} a = Div(n, i2) s = Concat<axis=0>(a, i8) r = Reshape(x, s) y = Flatten(r)"
    ),
    unproven("Max", f"{N} a = Max(n, i3) r = Slice(x, i0, a, i0) y = Relu(r)"),
    # The batch size in the place of the data.
    unproven("Cast", "h = Shape(x) k = Gather(h, zero) f = Cast<to=1>(k) y = Mul(x, f)"),
    refused("Mul", f"i = ArgMax<axis=1>(x) {N} j = Mul(i, n) y = Cast<to=1>(j)"),
    refused(
        "Add",
        f"i = ArgMax<axis=1,keepdims=0>(x) {N} j = Add(i, n) y = Gather(table, j)",
        table=random(16, 3),
    ),
    unproven("Gather", f"{N} e = Gather(table, n) y = Add(x, e)", table=random(16, 4)),
    unproven("Slice", f"{N} e = Slice(table, i0, n, i0) y = Add(x, e)", table=random(16, 4)),
    refused(
        "Clip",
        "i = ArgMax<axis=1>(x) h = Shape(x) n = Gather(h, zero) c = Clip(i, , n) y = Cast<to=1>(c)",
    ),
    refused(
        "ScatterElements",
        f"i = ArgMax<axis=1>(x) {N} m = Unsqueeze(n, i0) "
        "s = ScatterElements<axis=1>(i, i, m) y = Cast<to=1>(s)",
    ),
    # 2^61 * 8 is 0 in int64: the quotient would not be 8N.
    unproven(
        "Mul",
        f"{N} b = Mul(n, big) c = Mul(b, i8) d = Div(c, big) r = Slice(x, i0, d, i0) "
        "q = ReduceMax<keepdims=1>(r) y = Add(x, q)",
        big=[2**61],
    ),
    # A file whose batch is fixed has a number in every place.
    kept(f"{N} s = Concat<axis=0>(n, i2, i2)", shape="6,4"),
    proven(
        f"{N} e = Equal(n, i6) y = If(e) <then_branch = t () => (float p) {{ "
        f"p = Neg(x) }}, else_branch = f () => (float q) {{ q = ReduceMax(x) }}>",
        shape="6,4",
    ),
    refused("Gather", f"{N} a = Sub(n, i6) r = Gather(x, a) y = Add(x, r)", shape="6,4"),
    unproven(
        "NonZero",
        "r = Relu(x) i = NonZero(r) t = Transpose(i) g = GatherND(x, t) "
        "m = ReduceSum<keepdims=0>(g) y = Add(x, m)",
    ),
    proven(
        "c = NonZero(mask) i = Squeeze(c, i0) y = Gather<axis=1>(x, i)", mask=np.array([1, 0, 1, 1])
    ),
    unproven(
        "Concat",
        f"{N} e = Exp(f) k = Cast<to=7>(e) s = Concat<axis=0>(n, i4, k) y = Reshape(x, s)",
        f=[0.0],
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_verdict(case: Case) -> None:
    case.check()
