"""LSTM, GRU and RNN: the batch beside the sequence, never as the sequence."""

import numpy as np
import pytest
from row_graphs import Case, meddled, proven, random, refused, unproven

GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}


def weights(operator: str, directions: int = 1) -> dict[str, object]:
    """Of three hidden units that read four numbers."""
    rows = 3 * GATES[operator]
    return {"w": random(directions, rows, 4), "r": random(directions, rows, 3)}


CASES = [
    *[
        case
        for op in GATES
        for case in (
            # Each output is read where the batch could be taken for another axis of four.
            proven(
                f"t = Transpose<perm=[1,0,2]>(x) o, h = {op}<hidden_size=3>(t, w, r) "
                "k = Transpose<perm=[2,0,1,3]>(o) y = Flatten(k)",
                shape="4,4,4",
                **weights(op),
            ),
            proven(
                f"t = Transpose<perm=[1,0,2]>(x) o, h = {op}<hidden_size=3>(t, w, r) "
                "y = Squeeze(h, i0)",
                shape="4,4,4",
                **weights(op),
            ),
            refused(
                "ReduceMax",
                f"t = Transpose<perm=[1,0,2]>(x) o, h = {op}<hidden_size=3>(t, w, r) "
                "s = Squeeze(o, i1) y = ReduceMax<keepdims=0>(s, i1)",
                shape="4,4,4",
                **weights(op),
            ),
            refused(
                op,
                f"u = Unsqueeze(x, i1) v = {op}<hidden_size=3>(u, w, r) y = Squeeze(v, b)",
                b=[1, 2],
                **weights(op),
            ),
            refused(
                op,
                f"u = Unsqueeze(x, i0) v = {op}<hidden_size=3,layout=1>(u, w, r) y = Squeeze(v, b)",
                b=[0, 2],
                **weights(op),
            ),
            # ONNX Runtime does not run this layout.
            proven(
                f"o, h = {op}<hidden_size=3,layout=1>(x, w, r) y = Squeeze(h, i1)",
                shape="N,5,4",
                runs=False,
                **weights(op),
            ),
        )
    ],
    proven(
        "t = Transpose<perm=[1,0,2]>(x) o, "
        'h = GRU<hidden_size=3,direction="bidirectional">(t, w, r) '
        "y0 = Transpose<perm=[1,0,2]>(h) y = Flatten(y0)",
        shape="N,5,4",
        **weights("GRU", 2),
    ),
    proven(
        "t = Transpose<perm=[1,0,2]>(x) n = Shape<start=1,end=2>(t) "
        "s = Concat<axis=0>(i1, n, i3) c = Expand(zero_, s) o, "
        "h = GRU<hidden_size=3>(t, w, r, , , c) y = Squeeze(h, i0)",
        shape="N,5,4",
        zero_=np.zeros((1, 1, 1), np.float32),
        **weights("GRU"),
    ),
    proven(
        "t = Transpose<perm=[1,0,2]>(x) o, h = GRU<hidden_size=3>(t, w, r, , , c) "
        "y = Squeeze(h, i0)",
        shape="6,5,4",
        c=np.ones((1, 6, 3)),
        **weights("GRU"),
    ),
    refused(
        "GRU",
        "t = Transpose<perm=[1,0,2]>(x) o, h = GRU<hidden_size=3>(t, w, r, , , c) "
        "y = Squeeze(h, i0)",
        shape="6,5,4",
        c=random(1, 6, 3),
        **weights("GRU"),
    ),
    unproven(
        "GRU",
        "t = Transpose<perm=[1,0,2]>(x) o, h = GRU<hidden_size=3>(t, w, r, , n) y = Squeeze(h, i0)",
        shape="6,5,4",
        n=np.arange(6, dtype=np.int32),
        **weights("GRU"),
    ),
    unproven(
        "GRU",
        "t = Transpose<perm=[1,0,2]>(x) a = Slice(x, i0, i3, i2) "
        "c = Slice(a, i0, i1, i1) o, h = GRU<hidden_size=3>(t, w, r, , , c) "
        "y = Squeeze(h, i0)",
        shape="6,6,4",
        **weights("GRU"),
    ),
    unproven(
        "GRU",
        "t = Transpose<perm=[1,0,2]>(x) u = Tile(t, s) o, "
        "h = GRU<hidden_size=3>(u, w, r) y = Squeeze(h, i0)",
        shape="N,5,4",
        s=[1, 2, 1],
        **weights("GRU"),
    ),
    *meddled(
        "GRU",
        "t = Transpose<perm=[1,0,2]>(x) o, h = GRU<hidden_size=3>(t, $w, $r, $b) "
        "y = Squeeze(h, i0)",
        shape="6,5,4",
        b=random(1, 18),
        **weights("GRU"),
    ),
    *meddled(
        "LSTM",
        "t = Transpose<perm=[1,0,2]>(x) o, h = LSTM<hidden_size=3>(t, w, r, , , , , $p) "
        "y = Squeeze(h, i0)",
        shape="6,5,4",
        p=random(1, 9),
        **weights("LSTM"),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_verdict(case: Case) -> None:
    case.check()
