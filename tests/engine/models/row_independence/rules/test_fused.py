"""Operators of com.microsoft, which ONNX Runtime's optimiser and quantiser write."""

import numpy as np
import pytest
from row_graphs import Case, meddled, proven, random, refused, unproven

BYTES = {"s": np.float32(0.1), "z": np.uint8(0), "w": np.ones((4, 3), np.uint8), "f": np.ones(3)}
Q = "q = QuantizeLinear(x, s, z)"
BACK = "y = DequantizeLinear(p, s, z)"

CASES = [
    proven("y = com.microsoft.Gelu(x)"),
    proven("y = com.microsoft.QuickGelu(x)"),
    proven("y = com.microsoft.BiasGelu(x, b)", b=random(4)),
    proven("y = com.microsoft.FastGelu(x, b)", b=random(4)),
    proven(
        'v = com.microsoft.FusedConv<activation="Relu">(x, k, b) y = Flatten(v)',
        shape="N,2,4,4",
        k=random(3, 2, 3, 3),
        b=random(3),
    ),
    proven(
        'y = com.microsoft.FusedGemm<activation="Relu",transB=1>(x, g, b)',
        g=random(3, 4),
        b=random(3),
    ),
    proven("y = com.microsoft.FusedMatMul<transB=1>(x, g)", g=random(3, 4)),
    proven("t = Transpose(x) y = com.microsoft.FusedMatMul<transA=1>(t, g)", g=random(4, 3)),
    proven(
        "y = com.microsoft.SkipLayerNormalization(x, x, g, b)",
        shape="N,3,4",
        g=random(4),
        b=random(4),
    ),
    proven(
        "q = com.microsoft.QuantizeLinear(x, s, z) y = com.microsoft.DequantizeLinear(q, s, z)",
        **BYTES,
    ),
    proven(f"{Q} p = com.microsoft.QLinearAdd(q, s, z, q, s, z, s, z) {BACK}", **BYTES),
    proven(f"{Q} p = com.microsoft.QLinearSigmoid(q, s, z, s, z) {BACK}", **BYTES),
    proven(f"{Q} p = com.microsoft.QLinearSoftmax<axis=1,opset=13>(q, s, z, s, z) {BACK}", **BYTES),
    proven(f"{Q} p = com.microsoft.QLinearConcat<axis=1>(s, z, q, s, z, q, s, z) {BACK}", **BYTES),
    proven(
        f"{Q} r = com.microsoft.QLinearGlobalAveragePool(q, s, z, s, z) p = Flatten(r) {BACK}",
        shape="N,2,4,4",
        **BYTES,
    ),
    proven(f"{Q} p = com.microsoft.QGemm(q, s, z, w, s, z, , s, z) {BACK}", **BYTES),
    proven(f"{Q} y = com.microsoft.MatMulIntegerToFloat(q, w, s, s, z, z, f)", **BYTES),
    refused("FusedMatMul", "y = com.microsoft.FusedMatMul<transB=1>(x, x)"),
    refused(
        "FusedMatMul", "y = com.microsoft.FusedMatMul<transA=1>(x, g)", shape="4,4", g=random(4, 3)
    ),
    unproven(
        "FusedMatMul",
        "y = com.microsoft.FusedMatMul<transBatchA=1>(x, g)",
        shape="N,2,4",
        g=random(4, 3),
    ),
    refused("FusedGemm", 'y = com.microsoft.FusedGemm<activation="Relu",transB=1>(x, x)'),
    unproven(
        "FusedConv",
        'v = com.microsoft.FusedConv<activation="Relu">(x, k, b, x) y = Flatten(v)',
        shape="N,2,4,4",
        k=random(2, 2, 1, 1),
        b=random(2),
    ),
    refused(
        "SkipLayerNormalization",
        "t = Transpose(x) p = com.microsoft.SkipLayerNormalization(t, t, g) y = Transpose(p)",
        shape="4,4",
        g=random(4),
    ),
    refused(
        "SkipLayerNormalization",
        "t = Transpose<perm=[1,0,2]>(x) y = com.microsoft.SkipLayerNormalization(x, t, g)",
        shape="4,4,4",
        g=random(4),
    ),
    refused(
        "QLinearAdd",
        f"{Q} t = Transpose(q) p = com.microsoft.QLinearAdd(q, s, z, t, s, z, s, z) {BACK}",
        shape="4,4",
        **BYTES,
    ),
    unproven(
        "QLinearAdd",
        f"{Q} p = com.microsoft.QLinearAdd(q, t, z, q, s, z, s, z) {BACK}",
        shape="6,4",
        t=random(6),
        **BYTES,
    ),
    refused(
        "QLinearConcat",
        f"{Q} t = Transpose(q) "
        f"p = com.microsoft.QLinearConcat<axis=1>(s, z, q, s, z, t, s, z) {BACK}",
        shape="4,4",
        **BYTES,
    ),
    refused(
        "QLinearSoftmax",
        f"{Q} p = com.microsoft.QLinearSoftmax<axis=0,opset=13>(q, s, z, s, z) {BACK}",
        **BYTES,
    ),
    unproven(
        "QLinearSoftmax",
        f"{Q} p = com.microsoft.QLinearSoftmax<axis=1,opset=11>(q, s, z, s, z) {BACK}",
        **BYTES,
    ),
    refused(
        "QGemm",
        f"{Q} p = com.microsoft.QGemm<transA=1>(q, s, z, w, s, z, , s, z) {BACK}",
        shape="4,4",
        **BYTES,
    ),
    refused(
        "MatMulIntegerToFloat",
        f"{Q} t = Transpose(q) y = com.microsoft.MatMulIntegerToFloat(q, t, s, s, z, z)",
        **BYTES,
    ),
    unproven(
        "QLinearGlobalAveragePool",
        f"{Q} r = com.microsoft.QLinearGlobalAveragePool<channels_last=1>(q, s, z, s, z) "
        f"p = Flatten(r) {BACK}",
        shape="N,4,4,2",
        **BYTES,
    ),
    unproven(
        "QLinearAveragePool",
        f"{Q} r = com.microsoft.QLinearAveragePool<kernel_shape=[2,2]>(q, s, z, s, z) "
        f"p = Flatten(r) {BACK}",
        shape="N,2,4,4",
        **BYTES,
    ),
    unproven("MoE", "y = com.microsoft.MoE(x, x, x, x, x)"),
    unproven(
        "FusedConv",
        'v = com.microsoft.FusedConv<activation="Relu">(x, k, b, r) y = Flatten(v)',
        shape="6,2,4,4",
        k=random(2, 2, 1, 1),
        b=random(2),
        r=random(6, 2, 4, 4),
    ),
    unproven(
        "FusedMatMul",
        "y = com.microsoft.FusedMatMul<transBatchB=1>(x, g)",
        shape="N,2,4",
        g=random(1, 4, 3),
    ),
    unproven(
        "SkipLayerNormalization",
        "y = com.microsoft.SkipLayerNormalization(x, x, g)",
        shape="6,3,4",
        g=random(3, 4),
    ),
    *meddled(
        "SkipLayerNormalization",
        "y = com.microsoft.SkipLayerNormalization(x, x, $g, $g, $g)",
        shape="4,4",
        g=random(4),
    ),
    *meddled(
        "QLinearAdd",
        f"{Q} p = com.microsoft.QLinearAdd(q, $s, $z, q, $s, $z, $s, $z) {BACK}",
        **BYTES,
    ),
    *meddled(
        "QLinearSigmoid", f"{Q} p = com.microsoft.QLinearSigmoid(q, $s, $z, $s, $z) {BACK}", **BYTES
    ),
    *meddled(
        "QLinearSoftmax",
        f"{Q} p = com.microsoft.QLinearSoftmax<axis=1,opset=13>(q, $s, $z, $s, $z) {BACK}",
        **BYTES,
    ),
    *meddled(
        "QLinearConcat",
        f"{Q} p = com.microsoft.QLinearConcat<axis=1>($s, $z, q, $s, $z, q, $s, $z) {BACK}",
        **BYTES,
    ),
    *meddled(
        "QLinearGlobalAveragePool",
        f"{Q} r = com.microsoft.QLinearGlobalAveragePool(q, $s, $z, $s, $z) p = Flatten(r) {BACK}",
        shape="N,2,4,4",
        **BYTES,
    ),
    unproven(
        "QLinearGlobalAveragePool",
        f"{Q} t = Transpose<perm=[1,2,0,3]>(q) "
        "r = com.microsoft.QLinearGlobalAveragePool(t, s, z, s, z) "
        f"p = Transpose<perm=[2,0,1,3]>(r) {BACK}",
        shape="4,4,4,4",
        **BYTES,
    ),
    *meddled(
        "QGemm",
        f"{Q} p = com.microsoft.QGemm(q, $s, $z, w, $s, $z, $c, $s, $z) {BACK}",
        c=np.zeros(3, np.int32),
        **BYTES,
    ),
    *meddled(
        "MatMulIntegerToFloat",
        f"{Q} y = com.microsoft.MatMulIntegerToFloat(q, w, $s, $s, $z, $z, $f)",
        **BYTES,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_verdict(case: Case) -> None:
    case.check()
