"""Matrix products and Einsum: the batch bears one name, and stays."""

import numpy as np
import pytest
from row_graphs import Case, meddled, proven, random, refused, unproven

BYTES = {"scale": np.float32(0.1), "zero8": np.uint8(0), "w8": np.ones((4, 3), np.uint8)}

CASES = [
    proven("y = MatMul(x, w)", w=random(4, 3)),
    proven("y = MatMul(x, w)", w=random(4)),
    proven("y = MatMul(w, x)", shape="N,4,2", w=random(4)),
    proven("y = MatMul(w, x)", shape="N,4,2", w=random(3, 4)),
    proven("y = Gemm<transB=1>(x, w, b)", w=random(3, 4), b=random(3)),
    proven("t = Transpose(x) y = Gemm<transA=1>(t, w)", w=random(4, 3)),
    proven("t = Transpose<perm=[0,2,1]>(x) g = MatMul(x, t) y = Flatten(g)", shape="N,2,3"),
    proven('y = Einsum<equation="nc,kc->nk">(x, w)', w=random(3, 4)),
    proven('y = Einsum<equation="...c,cd">(x, w)', w=random(4, 3)),
    proven(
        's = Einsum<equation="bhqd,bhkd->bhqk">(x, x) y = ReduceMax<keepdims=0>(s, a)',
        shape="N,2,3,4",
        a=[2, 3],
    ),
    proven("q = MatMulInteger(x, w8) y = Cast<to=1>(q)", kind="uint8", **BYTES),
    proven(
        """q = QuantizeLinear(x, scale, zero8)
        p = QLinearMatMul(q, scale, zero8, w8, scale, zero8, scale, zero8)
        y = DequantizeLinear(p, scale, zero8)""",
        **BYTES,
    ),
    refused("MatMul", "t = Transpose(x) y = MatMul(x, t)"),
    refused("MatMul", "y = MatMul(x, x)", shape="4,4"),
    refused("MatMul", "y = MatMul(w, x)", shape="6,4", w=random(6, 6)),
    refused("Gemm", "y = Gemm<transB=1>(x, x)"),
    refused("Gemm", "y = Gemm<transA=1>(x, w)", shape="4,4", w=random(4, 4)),
    refused("Gemm", "y = Gemm(x, w, b)", shape="6,4", w=random(4, 3), b=random(6, 1)),
    refused(
        "MatMulInteger", "t = Transpose(x) q = MatMulInteger(x, t) y = Cast<to=1>(q)", kind="uint8"
    ),
    refused(
        "QLinearMatMul",
        """q = QuantizeLinear(x, scale, zero8) t = Transpose(q)
        p = QLinearMatMul(q, scale, zero8, t, scale, zero8, scale, zero8)
        y = DequantizeLinear(p, scale, zero8)""",
        **BYTES,
    ),
    unproven(
        "QLinearMatMul",
        """q = QuantizeLinear(x, scale, zero8)
        p = QLinearMatMul(q, scales, zeros, w8, scale, zero8, scale, zero8)
        y = DequantizeLinear(p, scale, zero8)""",
        shape="6,4",
        scales=np.ones(6),
        zeros=np.zeros(6, np.uint8),
        **BYTES,
    ),
    refused("Einsum", 'y = Einsum<equation="nc,mc->nm">(x, x)'),
    refused("Einsum", 'z = Einsum<equation="nc,nd->cd">(x, x) y = MatMul(x, z)'),
    refused("Einsum", 'z = Einsum<equation="ab,ac">(x, x) y = MatMul(x, z)'),
    refused("Einsum", 'z = Einsum<equation="...c->c">(x) y = Add(x, z)'),
    unproven(
        "Einsum", 'z = Einsum<equation="ii->i">(x) w = Unsqueeze(z, i1) y = Add(x, w)', shape="4,4"
    ),
    # Rows of two images folded into one axis in another order.
    refused(
        "MatMul",
        """a = Reshape(x, s) b = Transpose<perm=[1,0,2]>(a) c = Reshape(b, s2)
        d = Reshape(x, s2) t = Transpose(d) z = MatMul(c, t) y = ReduceMax<keepdims=1>(z, i1)""",
        s=[-1, 2, 2],
        s2=[-1, 2],
    ),
    unproven("Einsum", 'y = Einsum<equation="nc->ncc">(x)'),
    unproven("Einsum", 'y = Einsum<equation="nc->ncd">(x)'),
    unproven("Einsum", 'y = Einsum<equation="ncd->n">(x)'),
    unproven("Einsum", 'y = Einsum<equation="nc,ck->nk">(x)'),
    *meddled(
        "MatMulInteger",
        "q = MatMulInteger(x, w8, $z, $z) y = Cast<to=1>(q)",
        kind="uint8",
        z=np.uint8(0),
        **BYTES,
    ),
    unproven(
        "MatMulInteger",
        "q = MatMulInteger(x, w8, z) y = Cast<to=1>(q)",
        kind="uint8",
        shape="6,4",
        z=np.zeros(6, np.uint8),
        **BYTES,
    ),
    *meddled(
        "QLinearMatMul",
        "q = QuantizeLinear(x, s, z) p = QLinearMatMul(q, $s, $z, w8, $s, $z, $s, $z) "
        "y = DequantizeLinear(p, s, z)",
        s=np.float32(0.1),
        z=np.uint8(0),
        **BYTES,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_verdict(case: Case) -> None:
    case.check()
