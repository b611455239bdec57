"""Entries that meet by broadcasting."""

import numpy as np
import pytest
from row_graphs import Case, meddled, proven, random, refused, unproven

CASES = [
    proven("y = Relu(x)"),
    proven("c = Cast<to=11>(x) d = Tanh(c) y = Cast<to=1>(d)"),
    proven(
        "a = Add(x, w) b = Max(x, a, w) l = Less(a, b) y = Where(l, a, v)",
        w=random(4),
        v=random(1, 4),
    ),
    proven("y = PRelu(x, s)", s=random(4)),
    proven("y = Clip(x, , half)"),
    proven("a = Abs(x) m = ReduceMax<keepdims=1>(a, i1) y = Div(x, m)"),
    proven("y = CastLike(x, wide)", wide=np.zeros((3, 2, 4), np.float32)),
    proven("y = BatchNormalization(x, s, s, s, v)", opset=9, s=random(4), v=np.ones(4)),
    proven("y = BatchNormalization(x, s, s, s, v)", opset=15, s=random(4), v=np.ones(4)),
    # A fixed batch: a constant may lie along it where it says the same to all.
    proven("y = Add(x, c)", shape="6,4", c=np.ones((6, 1))),
    refused("Add", "y = Add(x, c)", shape="6,4", c=random(6, 1)),
    refused("PRelu", "y = PRelu(x, s)", shape="6,4", s=random(6, 1)),
    unproven("Add", "y = Add(x, c)", c=np.ones((6, 4))),
    # A row meets another.
    refused(
        "Sub",
        "p = Unsqueeze(x, i1) q = Unsqueeze(x, i0) d = Sub(p, q) y = ReduceMax<keepdims=0>(d, i1)",
    ),
    refused("Add", "t = Transpose(x) y = Add(x, t)", shape="4,4"),
    # 2N entries in another order: [x; x] against each row twice.
    refused(
        "Add",
        """u = Tile(x, twice) t = Tile(x, wide) v = Reshape(t, s) z = Add(u, v) p = Reshape(z, s2)
        y = ReduceMax<keepdims=0>(p, i0)""",
        twice=[2, 1],
        wide=[1, 2],
        s=[-1, 4],
        s2=[2, -1, 4],
    ),
    unproven(
        "BatchNormalization",
        "u = Unsqueeze(x, i0) w = BatchNormalization(u, s, s, s, v) y = Squeeze(w, i0)",
        shape="6,4",
        s=random(6),
        v=np.ones(6),
    ),
    unproven(
        "BatchNormalization",
        "m = ReduceMax<keepdims=0>(x, i1) y = BatchNormalization(x, m, m, m, m)",
        shape="4,4",
    ),
    *meddled("BatchNormalization", "y = BatchNormalization(x, $s, $s, $s, $s)", s=np.ones(4)),
    # Rows that are alike are so no more beside others.
    refused(
        "Add",
        """
        m = Neg(x) t = Concat<axis=0>(x, m) n = Shape<end=1>(t) s = Concat<axis=0>(n, i4)
        c = Expand(w, s) v = Add(t, c) k = Tile(x, wide) u = Reshape(k, flat) z = Add(v, u)
        a, b = Split<axis=0>(z) y = Sub(a, b)
        """,
        opset=15,
        w=random(1, 4),
        wide=[1, 2],
        flat=[-1, 4],
    ),
    # A constant along two stacked batches: the same in each, or the same for each row.
    proven(
        "t = Tile(x, s) a = Add(t, c) p, q = Split<axis=0>(a) y = Sub(p, q)",
        shape="6,4",
        opset=13,
        s=[2, 1],
        c=np.repeat([[1.0], [2.0]], 6, 0),
    ),
    refused(
        "Add",
        "t = Tile(x, s) a = Add(t, c) p, q = Split<axis=0>(a) y = Sub(p, q)",
        shape="6,4",
        opset=13,
        s=[2, 1],
        c=np.tile([[1.0], [2.0]], (6, 1)),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_verdict(case: Case) -> None:
    case.check()
