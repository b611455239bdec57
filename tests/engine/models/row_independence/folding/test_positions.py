"""The rows' own numbers: to reach into one's own part of flat rows, and for nothing else."""

import pytest
from row_graphs import Case, proven, random, refused, unproven

NUMBERS = "s = Shape<end=1>(x) k = Squeeze(s, i0) r = Range(zero, k, one)"


def reaching(step: str) -> str:
    """Flat rows, read at step*n + o."""
    at = f"{NUMBERS} m = Mul(r, {step}) u = Unsqueeze(m, i1) i = Add(u, o)"
    return f"{at} f = Reshape(x, last) y = Gather(f, i)"


CASES = [
    proven(reaching("four"), o=[3, 1, 2]),
    proven(
        f"{NUMBERS} d = Identity(r) c = Cast<to=7>(d) m = Mul(four, c) "
        "u = Unsqueeze(m, i1) i = Add(o, u) f = Reshape(x, last) y = Gather(f, i)",
        o=[[0, 1]],
    ),
    unproven("Gather", reaching("four"), o=[0, 1, 2, 4]),
    unproven("Gather", reaching("four"), o=[-1, 0]),
    unproven("Gather", reaching("two"), o=[0, 1], two=2),
    # Stacked twice, the n-th entry is another row's from N on.
    unproven(
        "Gather",
        f"{NUMBERS} u = Unsqueeze(r, i1) f = Tile(x, t) v = Gather(f, u) w = Add(v, x) "
        "g = Reshape(w, last) h = Gather(g, r) y = Unsqueeze(h, i1)",
        t=[2, 1],
    ),
    unproven("Gather", f"{NUMBERS} e = Gather(table, r) y = Add(x, e)", table=random(16, 4)),
    unproven("Cast", f"{NUMBERS} f = Cast<to=1>(r) g = Unsqueeze(f, i1) y = Add(x, g)"),
    unproven(
        "Range",
        "s = Shape<end=1>(x) k = Squeeze(s, i0) r = Range(one, k, one) "
        "f = Cast<to=1>(r) y = Add(x, f)",
    ),
    unproven(
        "Range",
        "s = Shape<end=1>(x) k = Squeeze(s, i0) d = Add(k, k) r = Range(zero, d, one) "
        "f = Reshape(x, last) y = Gather(f, r)",
    ),
    unproven(
        "Add",
        f"{NUMBERS} i = ArgMax<axis=1,keepdims=0>(x) j = Add(i, r) y = Gather(table, j)",
        table=random(16, 4),
    ),
    unproven("Mul", f"{NUMBERS} m = Mul(r, r) y = Gather(x, m)"),
    unproven("Sub", f"{NUMBERS} l = Sub(k, one) m = Sub(l, r) y = Gather(x, m)"),
    # Another offset for each row, where the batch is fixed.
    refused(
        "Gather",
        f"{NUMBERS} m = Mul(r, four) i = Add(m, o) f = Reshape(x, last) g = Gather(f, i) "
        "y = Unsqueeze(g, i1)",
        shape="3,4",
        o=[0, 1, 2],
    ),
    proven(
        f"{NUMBERS} m = Mul(r, four) i = Add(m, o) f = Reshape(x, last) g = Gather(f, i) "
        "y = Unsqueeze(g, i1)",
        shape="3,4",
        o=[2, 2, 2],
    ),
    unproven(
        "Range",
        "s = Shape<end=1>(x) k = Squeeze(s, i0) r = Range(zero, k, two) y = Gather(x, r)",
        two=2,
    ),
    unproven(
        "Add",
        f"{NUMBERS} m = Mul(r, four) i = Add(m, o) f = Reshape(x, last) g = Gather(f, i) "
        "y = Unsqueeze(g, i1)",
        o=[0, 1, 2],
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_verdict(case: Case) -> None:
    case.check()
