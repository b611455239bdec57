"""The same entries laid out in another way."""

import pytest
from row_graphs import Case, proven, random, refused, unproven

MOVED = {"shape": "4,4,4"}  # where every axis could be taken for the batch

CASES = [
    proven(
        "a = Reshape(x, s) b = Transpose<perm=[0,2,1]>(a) y = Reshape(b, s2)",
        s=[0, 2, 2],
        s2=[-1, 4],
    ),
    proven("y = Flatten(x)", shape="N,2,3"),
    proven("t = Transpose(x) f = Flatten<axis=-1>(t) y = Transpose(f)", shape="N,4"),
    proven("f = Flatten<axis=2>(x) y = Reshape(f, s)", shape="N,2,3", s=[-1, 6]),
    proven("u = Unsqueeze(x, a) y = Squeeze(u, a)", a=[0, -1]),
    proven("u = Unsqueeze<axes=[0,2]>(x) y = Squeeze<axes=[0,2]>(u)", opset=11),
    # Sequence first, heads folded into the batch.
    proven(
        """t = Transpose<perm=[1,0,2]>(x) u = Reshape(t, r) q = Transpose<perm=[1,0,2]>(u)
        k = Transpose<perm=[1,2,0]>(u) s = MatMul(q, k) p = Softmax(s) o = MatMul(p, q)
        o2 = Transpose<perm=[1,0,2]>(o) o3 = Reshape(o2, r2) y = ReduceMean<keepdims=0>(o3, i0)""",
        shape="N,3,4",
        r=[3, -1, 2],
        r2=[3, -1, 4],
    ),
    # Windows folded into the batch, and back.
    proven(
        """a = Reshape(x, s) b = Transpose<perm=[0,2,1,3]>(a) c = Reshape(b, s2)
        d = Softmax<axis=1>(c) e = Reshape(d, s3) y = Flatten(e)""",
        shape="N,4,2",
        s=[-1, 2, 2, 2],
        s2=[-1, 2, 2],
        s3=[-1, 2, 2, 2],
    ),
    proven("e = Expand(x, s) y = ReduceMax<keepdims=0>(e, i0)", s=[3, 1, 4]),
    proven("t = Tile(x, s) y = Softmax(t)", s=[1, 2]),
    # Two views of each image stacked: their mean.
    proven(
        "t = Tile(x, s) r = Reshape(t, s2) y = ReduceMax<keepdims=0>(r, i0)",
        s=[2, 1],
        s2=[2, -1, 4],
    ),
    proven("t = Tile(x, s) a, b = Split<axis=0>(t) y = Sub(a, b)", opset=13, s=[2, 1]),
    refused("Split", "t = Tile(x, s) a, b = Split<axis=0>(t) y = Sub(a, b)", opset=13, s=[3, 1]),
    unproven("", "y = Transpose(x)"),
    unproven("", "y = Transpose(x)", shape="4,4"),
    unproven("Reshape", "y = Reshape(x, s)", shape="6,4", s=[4, 6]),
    unproven(
        "Reshape", "z = Reshape(x, s) w = Reshape(z, s2) y = Transpose(w)", s=[-1], s2=[4, -1]
    ),
    unproven("Reshape", "t = Tile(x, s) y = Reshape(t, s2)", s=[2, 1], s2=[-1, 8]),
    unproven("Reshape", "m = Neg(x) t = Concat<axis=0>(x, m) y = Reshape(t, s)", s=[-1, 8]),
    unproven("Reshape", "y = Reshape(x, s)", s=[3, -1]),
    unproven("Reshape", "z = Reshape(x, s) y = Reshape(z, s2)", s=[2, -1, 2], s2=[-1, 4]),
    unproven("Reshape", "z = Reshape<allowzero=1>(x, s) y = Flatten(z)", s=[0, 4]),
    # Heads merged with the batch in one order, taken apart in the other.
    unproven(
        "Reshape",
        "z = Reshape(x, s) t = Reshape(z, s2) u = Transpose<perm=[1,0,2]>(t) y = Reshape(u, s3)",
        s=[-1, 2],
        s2=[2, -1, 2],
        s3=[-1, 4],
    ),
    unproven("Squeeze", "u = Unsqueeze(x, i0) v = Squeeze(u) y = Relu(v)"),
    refused(
        "ReduceMax", "t = Transpose<perm=[2,0,1]>(x) y = ReduceMax<keepdims=0>(t, i1)", **MOVED
    ),
    refused("ReduceMax", "u = Unsqueeze(x, i1) v = Squeeze(u, i1) y = ReduceMax(v, i0)"),
    refused("ReduceMax", "u = Unsqueeze(x, i0) y = ReduceMax<keepdims=0>(u, i1)"),
    refused(
        "ReduceMax", "u = Expand(x, s) y = ReduceMax<keepdims=0>(u, i1)", s=[4, 4, 4], shape="4,4"
    ),
    # Cut in the middle of each row's part.
    refused("ReduceMax", "z = Reshape(x, s) m = ReduceMax(z, i0) y = Add(x, m)", s=[-1]),
    refused("Slice", "z = Reshape(x, s) y = Slice(z, i0, i6, i0)", shape="6,4", s=[-1]),
    unproven("Tile", "s = Shape(x) t = Tile(x, s) y = Relu(t)"),
    unproven("Expand", "n = Shape<end=1>(x) s = Concat<axis=0>(n, i1, i1) y = Expand(x, s)"),
    unproven(
        "Tile",
        "n = Shape<end=1>(x) s = Concat<axis=0>(n, i1) w = Tile(c, s) y = Add(x, w)",
        c=random(2, 4),
    ),
    # A batch of equal rows goes with any layout of the same length.
    proven(
        "n = Shape<end=1>(x) s = Concat<axis=0>(n, i4) c = Expand(w, s) y = Add(x, c)",
        w=random(1, 4),
    ),
    proven("s = Shape(x) c = ConstantOfShape<value=float[1] {2.0}>(s) y = Mul(x, c)"),
    proven(
        """m = Neg(x) t = Concat<axis=0>(x, m) n = Shape<end=1>(t) s = Concat<axis=0>(n, i4)
        c = Expand(w, s) u = Concat<axis=1>(c, t) v = Add(t, c) z = Concat<axis=1>(u, v)
        a, b = Split<axis=0>(z) y = Sub(a, b)""",
        opset=15,
        w=random(1, 4),
    ),
    proven(
        "n = Shape<end=1>(x) s = Concat<axis=0>(n, i1) c = Tile(w, s) y = Concat<axis=1>(c, x)",
        w=random(1, 2),
    ),
    unproven(
        "ConstantOfShape",
        "n = Shape<end=1>(x) s = Concat<axis=0>(n, n) c = ConstantOfShape(s) y = MatMul(c, x)",
    ),
    refused(
        "CumSum",
        "s = Shape(x) c = ConstantOfShape<value=float[1] {1.0}>(s) d = CumSum(c, zero) "
        "y = Add(x, d)",
    ),
    # Equal rows are no excuse for an axis of their own.
    refused(
        "Add",
        "n = Shape<end=1>(x) s = Concat<axis=0>(i1, n) c = Expand(w, s) "
        "u = Unsqueeze(x, i2) y = Add(u, c)",
        w=random(1, 1),
    ),
    # The sequence and the batch folded into one axis, and apart again.
    proven(
        "t = Transpose<perm=[1,0,2]>(x) f = Reshape(t, s) m = MatMul(f, w) "
        "r = Reshape(m, back) y = ReduceMax<keepdims=0>(r, i0)",
        shape="N,3,4",
        s=[-1, 4],
        back=[3, -1, 5],
        w=random(4, 5),
    ),
    unproven("", "y = Tile(x, s)", s=[2, 1]),
    unproven("Transpose", "y = Transpose<perm=[0,0]>(x)"),
    unproven("Squeeze", "y = Squeeze(x, i1)"),
    unproven("Squeeze", "s = Squeeze(x, i0) y = Unsqueeze(s, i0)"),
    unproven("Unsqueeze", "u = Unsqueeze(x) y = Relu(u)", opset=11),
    unproven("Expand", "y = Expand(x, s)", s=[3, 3]),
    unproven("Tile", "n = Shape<end=1>(x) s = Concat<axis=0>(i1, n) y = Tile(x, s)"),
    unproven(
        "ConstantOfShape",
        "n = Shape<end=1>(x) k = Add(n, i1) s = Concat<axis=0>(k, i4) "
        "c = ConstantOfShape(s) y = ReduceMax(c, i1)",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_verdict(case: Case) -> None:
    case.check()


def test_a_shape_of_some_batch_sizes_alone_is_said_to_be_one() -> None:
    proof = unproven("Reshape", "y = Reshape(x, s)", s=[6, 4]).proof()
    assert "fits some batch sizes alone" in proof.reason
