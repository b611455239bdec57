"""Entries by index: never by the row's place in the batch."""

import numpy as np
import pytest
from row_graphs import Case, meddled, proven, random, refused, unproven

OWN = "i = ArgMax<axis=1,keepdims=0>(x)"
OWN_KEPT = "i = ArgMax<axis=1,keepdims=1>(x)"
PLACES = np.arange(6)[:, None] * 4  # where each row of four begins

CASES = [
    proven("y = Gather<axis=1>(x, i)", i=[2, 0, 0]),
    proven("y = Gather<axis=-1>(x, i)", i=[[2, 0], [-1, 1]]),
    # The batch moves by as many axes as the index has, less one.
    proven(
        "t = Transpose(x) g = Gather(t, i) r = ReduceMax<keepdims=0>(g, a) y = Unsqueeze(r, i1)",
        i=np.zeros((4, 4), int),
        a=[0, 1],
        shape="4,4",
    ),
    proven("t = Transpose(x) g = Gather(t, zero) y = Unsqueeze(g, i1)", shape="4,4"),
    refused(
        "ReduceMax",
        "t = Transpose<perm=[1,0,2]>(x) g = Gather(t, i) y = ReduceMax<keepdims=0>(g, a)",
        shape="4,4,4",
        i=np.zeros((4, 4), int),
        a=[2, 3],
    ),
    refused(
        "ReduceMax",
        "t = Transpose<perm=[1,0,2]>(x) g = Gather(t, zero) m = ReduceMax(g, i0) y = Add(g, m)",
        shape="4,4,4",
    ),
    proven(f"{OWN} y = Gather(table, i)", table=random(4, 3)),
    proven(f"{OWN} g = Gather<axis=1>(table, i) y = Transpose(g)", table=random(3, 4)),
    proven(f"{OWN_KEPT} y = GatherElements<axis=1>(x, i)"),
    proven(f"{OWN_KEPT} y = GatherND<batch_dims=1>(x, i)"),
    proven(f"{OWN_KEPT} u = Gather<axis=1>(x, i0) y = ScatterElements<axis=1>(x, i, u)"),
    proven(
        f"{OWN} o = OneHot<axis=0>(i, four, v) c = Cast<to=1>(o) y = Transpose(c)", v=[0.0, 1.0]
    ),
    proven(f"{OWN} o = OneHot(i, four, v) y = Cast<to=1>(o)", v=[0.0, 1.0]),
    proven("v = Trilu(x) y = Flatten(v)", shape="N,3,3"),
    proven(
        "t = Transpose(x) z = ScatterND(t, i, u) y = Transpose(z)",
        shape="6,4",
        i=[[1]],
        u=np.ones((1, 6)),
    ),
    proven(
        "t = Transpose(x) a = Slice(t, i0, i1, i0) z = ScatterND(t, i, a) y = Transpose(z)", i=[[2]]
    ),
    refused("Gather", "g = Gather(x, zero) y = Add(x, g)"),
    refused("Gather", "y = Gather(x, i)", shape="6,4", i=[5, 4, 3, 2, 1, 0]),
    refused("Gather", f"{OWN} y = Gather(x, i)", shape="6,4"),
    refused("Gather", f"{OWN} y = Gather<axis=1>(x, i)", shape="4,4"),
    refused(
        "ArgMax",
        "m = ReduceMax<keepdims=0>(x, i1) i = ArgMax<axis=0,keepdims=0>(m) "
        "g = Gather(x, i) y = Add(x, g)",
    ),
    refused(
        "GatherElements",
        f"{OWN_KEPT} e = Expand(i, s) y = GatherElements<axis=0>(x, e)",
        shape="6,4",
        s=[1, 4],
    ),
    refused(
        "GatherElements",
        f"{OWN_KEPT} t = Transpose(i) e = Expand(t, s) y = GatherElements<axis=1>(x, e)",
        shape="4,4",
        s=[4, 4],
    ),
    unproven("GatherND", f"{OWN_KEPT} y = GatherND(x, i)", shape="6,4"),
    unproven(
        "GatherND", f"{OWN_KEPT} t = Transpose(x) y = GatherND<batch_dims=1>(t, i)", shape="4,4"
    ),
    refused(
        "ScatterElements",
        f"{OWN_KEPT} e = Expand(i, s) y = ScatterElements<axis=0>(x, e, x)",
        shape="6,4",
        s=[1, 4],
    ),
    refused(
        "ScatterElements",
        f"{OWN_KEPT} e = Expand(i, s) t = Transpose(x) y = ScatterElements<axis=1>(x, e, t)",
        shape="4,4",
        s=[1, 4],
    ),
    refused("ScatterND", "y = ScatterND(x, i, u)", i=[[0]], u=np.ones((1, 4))),
    # The first row, six times over: the shapes would pass.
    refused(
        "ScatterND",
        "y = ScatterND(x, i, u)",
        shape="6,4",
        i=np.zeros((6, 1), int),
        u=np.ones((6, 4)),
    ),
    refused(
        "ScatterND",
        "t = Transpose(x) z = ScatterND(t, i, u) y = Transpose(z)",
        shape="6,4",
        i=[[1]],
        u=random(1, 6),
    ),
    refused(
        "ScatterND",
        "t = Transpose<perm=[1,0,2]>(x) z = ScatterND(t, i, x) y = Transpose<perm=[1,0,2]>(z)",
        shape="4,4,4",
        i=[[0], [1], [2], [3]],
    ),
    refused(
        "ReduceMax",
        f"{OWN} o = OneHot<axis=0>(i, four, v) c = Cast<to=1>(o) y = ReduceMax(c, i1)",
        shape="4,4",
        v=[0.0, 1.0],
    ),
    unproven(
        "",
        f"{OWN} o = OneHot<axis=0>(i, six, v) y = Cast<to=1>(o)",
        shape="6,4",
        six=np.array(6),
        v=[0.0, 1.0],
    ),
    refused("Trilu", "y = Trilu(x)"),
    refused(
        "Trilu",
        "t = Transpose<perm=[1,0,2]>(x) u = Trilu(t) y = Transpose<perm=[1,0,2]>(u)",
        shape="N,3,3",
    ),
    # Each row's own part of the flat rows, or not.
    proven("f = Reshape(x, last) y = Gather(f, i)", shape="6,4", i=PLACES + np.array([[0, 3, 2]])),
    refused(
        "Gather",
        "f = Reshape(x, last) y = Gather(f, i)",
        shape="6,4",
        i=np.maximum(PLACES + np.array([[-1, 0]]), 0),
    ),
    refused(
        "Gather",
        "f = Reshape(x, last) y = Gather(f, i)",
        shape="6,4",
        i=PLACES[::-1] + np.array([[0, 3, 2]]),
    ),
    refused(
        "Gather",
        "f = Reshape(x, last) y = Gather(f, i)",
        shape="6,4",
        i=PLACES + np.arange(6)[:, None] % 2,
    ),
    refused(
        "Gather",
        "f = Reshape(x, last) y = Gather(f, i)",
        shape="6,4",
        i=PLACES + np.array([[0, 4]]) - 4 * (PLACES == 20),
    ),
    # The same where the rows were stacked twice.
    refused("Gather", "t = Tile(x, s) y = Gather(t, i)", shape="6,4", s=[2, 1], i=np.arange(6)),
    # Each row's own part, taken along the second axis of the index.
    proven(
        "f = Reshape(x, last) g = Gather(f, i) y = Transpose(g)",
        shape="6,4",
        i=PLACES.T + np.array([[0], [3], [2]]),
    ),
    refused(
        "ReduceMax",
        "f = Reshape(x, last) g = Gather(f, i) y = ReduceMax<keepdims=0>(g, i1)",
        shape="6,4",
        i=np.tile(PLACES.T, (6, 1)),
    ),
    proven(
        "a = Slice(x, i0, i1, i2) i = ArgMax<axis=1>(a) "
        "g = GatherND<batch_dims=1>(x, i) y = Flatten(g)",
        shape="N,4,4",
    ),
    proven(
        "a = Slice(x, i0, i1, i2) i = ArgMax<axis=1>(a) "
        "g = GatherND<batch_dims=1>(x, i) y = Reshape(g, s)",
        shape="N,4,4",
        s=[-1, 4],
    ),
    unproven(
        "ScatterND",
        "t = Transpose(x) z = ScatterND(t, i, u) y = Transpose(z)",
        shape="6,4",
        i=[[1]],
        u=np.ones((1, 3)),
    ),
    unproven(
        "ScatterND",
        f"{OWN_KEPT} t = Transpose(x) j = Unsqueeze(i, i0) k = Squeeze(j, i2) "
        "z = ScatterND(t, k, x) y = Transpose(z)",
        shape="4,4",
    ),
    *meddled("OneHot", f"{OWN} o = OneHot(i, four, $v) y = Cast<to=1>(o)", v=np.array([0.0, 1.0])),
    *meddled("Trilu", "v = Trilu(x, $k) y = Flatten(v)", shape="N,3,3", k=np.array(0)),
    unproven(
        "GatherND",
        "a = ArgMax<axis=2>(x) t = Transpose<perm=[1,0,2]>(a) "
        "g = GatherND<batch_dims=1>(x, t) y = ReduceMax<keepdims=0>(g, i0)",
        shape="4,4,4",
    ),
    # Two axes are indexed by one axis of the index.
    proven(
        "t = Transpose<perm=[1,2,0]>(x) m = ReduceMax<keepdims=0>(t, a) u = Unsqueeze(m, i0) "
        "z = ScatterND(t, i, u) k = Transpose<perm=[2,0,1]>(z) y = Flatten(k)",
        shape="N,2,3",
        a=[0, 1],
        i=[[1, 2]],
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_verdict(case: Case) -> None:
    case.check()
