"""Tensors cut apart and put together: along the batch only whole batches."""

import numpy as np
import pytest
from row_graphs import Case, proven, random, refused, unproven

CASES = [
    proven("y = Slice(x, i0, end, i0)"),
    proven("y = Slice(x, i0, i6, i0)", shape="6,4"),
    proven("y = Slice(x, i1, last, i1)"),
    proven("y = Slice(x, last, low, last, last)", low=[-(2**62)]),
    proven("y = Slice<axes=[1],starts=[1],ends=[3]>(x)", opset=9),
    proven("a, b = Split<axis=1>(x) y = Concat<axis=1>(b, a)", opset=13),
    proven("a, b = Split<axis=1,num_outputs=2>(x) y = Concat<axis=-1>(b, a)", shape="N,5"),
    proven("a, b = Split<axis=1,split=[1,3]>(x) y = Concat<axis=1>(b, a)", opset=11),
    proven("y = Pad(x, p)", p=[0, 1, 0, -1]),
    proven("y = Pad(x, p, half, last)", p=[1, 2]),
    proven("y = Pad<pads=[0,1,0,1]>(x)", opset=9),
    # Two views, stacked and taken apart.
    proven(
        "m = Neg(x) u = Concat<axis=0>(x, m) v = MatMul(u, w) a, b = Split<axis=0>(v) "
        "y = Sub(a, b)",
        opset=13,
        w=random(4, 3),
    ),
    proven(
        "m = Neg(x) u = Concat<axis=0>(x, m) v = Reshape(u, s) y = ReduceMax<keepdims=0>(v, i0)",
        s=[2, -1, 4],
    ),
    proven("m = Neg(x) n = Shape<end=1>(x) u = Concat<axis=0>(x, m) y = Slice(u, n, end, i0)"),
    # A class token, written out for a fixed batch.
    proven(
        "u = Concat<axis=1>(c, x) y = ReduceMax<keepdims=0>(u, i1)",
        shape="6,3,4",
        c=np.repeat(random(1, 1, 4), 6, 0),
    ),
    refused(
        "Concat",
        "u = Concat<axis=1>(c, x) y = ReduceMax<keepdims=0>(u, i1)",
        shape="6,3,4",
        c=random(6, 1, 4),
    ),
    refused(
        "Slice",
        "a = Slice(x, i1, end, i0) b = Slice(x, i0, i1, i0) c = Concat<axis=0>(a, b) y = Add(x, c)",
    ),
    refused("Slice", "r = Slice(x, last, low, i0, last) y = Add(x, r)", low=[-(2**62)]),
    refused("Slice", "r = Slice(x, i0, i1, i0) y = Add(x, r)"),
    refused("Slice", "y = Slice(x, i0, i5, i0)"),
    refused("Slice", "y = Slice(x, i0, last, i0)"),
    refused(
        "Slice",
        "r = Slice(x, i0, i3, i0) q = Slice(x, i3, i6, i0) y = Concat<axis=0>(q, r)",
        shape="6,4",
    ),
    refused("Slice", "r = Slice(x, last, end, i0) y = Add(x, r)"),
    refused("Slice", "r = Slice(x, i0, end, i0, i2) y = Concat<axis=0>(r, r)", shape="4,4"),
    # All but the first of two stacked batches' rows.
    refused(
        "Slice",
        "u = Tile(x, s) n = Shape<end=1>(x) k = Add(n, i1) r = Slice(u, i1, k, i0) y = Add(r, x)",
        s=[2, 1],
    ),
    refused("Split", "a, b = Split<axis=0,num_outputs=2>(x) y = Concat<axis=0>(b, a)", shape="6,4"),
    refused("Split", "a, b = Split<axis=0,num_outputs=2>(x) y = Concat<axis=0>(b, a)"),
    refused("Concat", "t = Transpose(x) y = Concat<axis=1>(x, t)", shape="4,4"),
    refused(
        "Concat",
        "u = Tile(x, s) w = Reshape(u, s2) v = Tile(x, s3) k = Reshape(v, s2) "
        "z = Concat<axis=1>(w, k) a, b = Split<axis=0>(z) y = Add(a, b)",
        opset=13,
        s=[2, 1],
        s2=[-1, 4],
        s3=[1, 2],
    ),
    refused(
        "Concat",
        "t = Transpose(x) u = Concat<axis=0>(x, t) a, b = Split<axis=0>(u) y = Add(a, b)",
        shape="4,4",
        opset=13,
    ),
    refused(
        "Slice",
        "f = Reshape(x, s) g = Slice(f, i1, end, i0) h = Slice(f, i0, i1, i0) "
        "r = Concat<axis=0>(g, h) y = Reshape(r, s2)",
        s=[-1],
        s2=[-1, 4],
    ),
    unproven("Concat", "u = Concat<axis=0>(x, c) y = Slice(u, i1, end, i0)", c=random(1, 4)),
    refused("Pad", "u = Pad(x, p) y = Slice(u, i0, end, i0)", p=[1, 0, -1, 0]),
    refused("Pad", 'y = Pad<mode="reflect">(x, p)', p=[1, 0, -1, 0]),
    refused("Pad", "y = Pad(x, p, half, i0)", p=[1, -1]),
    unproven(
        "Pad",
        "t = Transpose<perm=[1,0,2]>(x) m = ReduceMax<keepdims=0>(t, d) y = Pad(x, p, m)",
        shape="6,1,4",
        d=[0, 2],
        p=[0] * 6,
    ),
    refused(
        "Concat",
        "t = Tile(x, wide) z = Reshape(t, s) n = Shape<end=1>(x) "
        "u = Concat<axis=0>(x, z) y = Slice(u, i0, n, i0)",
        wide=[1, 2],
        s=[-1, 4],
    ),
    unproven(
        "Concat",
        "t = Transpose<perm=[0,2,1]>(x) c = Concat<axis=1>(x, t) y = Flatten(c)",
        shape="N,2,3",
    ),
    refused("Slice", "n = Shape<end=1>(x) e = Slice(x, n, end, i0) y = Concat<axis=0>(x, e)"),
    unproven("Slice", "e = Slice(x, i1, i1, i1) y = Concat<axis=1>(x, e)"),
    unproven("Slice", "y = Slice<ends=[1],axes=[1]>(x)", opset=9),
    unproven("Slice", "y = Slice<starts=[1],axes=[1]>(x)", opset=9),
    unproven("Slice", "y = Slice(x, low, high, twice)", low=[0, 0], high=[3, 2], twice=[1, -1]),
    # -2^63 of a number that int64 does not hold is what one processor says.
    unproven("Slice", "a = Cast<to=7>(f) y = Slice(x, a, end, i1)", f=[-1e30]),
    unproven("Split", "a, b = Split<axis=1,split=[1,2]>(x) y = Concat<axis=1>(a, b)", opset=11),
    unproven("Split", "a, b = Split<axis=1>(x, s) y = Concat<axis=1>(a, b)", s=[1, 1, 2]),
    unproven("Split", "a, b = Split<axis=1,num_outputs=3>(x) y = Concat<axis=1>(a, b)"),
    refused("Pad", "y = Pad(x, p)", p=[1, 0, 0, 0]),
    refused("Pad", "y = Pad(x, p)", p=[0, 0, -1, 0]),
    unproven("Pad", "y = Pad(x, p)", p=[0, 1, 0, 1, 1]),
    unproven("Pad", "y = Pad(x, p, half, twice)", p=[1, 1, 1, 1], twice=[1, -1]),
    refused(
        "Pad",
        "i = ArgMax<axis=1>(x) h = Shape(x) n = Gather(h, zero) q = Pad(i, p, n) y = Cast<to=1>(q)",
        p=[0, 1, 0, 0],
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_verdict(case: Case) -> None:
    case.check()
