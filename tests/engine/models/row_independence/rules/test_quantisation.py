"""QuantizeLinear and DequantizeLinear."""

import numpy as np
import pytest
from row_graphs import Case, proven, refused, unproven

SCALE = {"s": np.float32(0.1), "z": np.int8(0)}

CASES = [
    proven("q = QuantizeLinear(x, s, z) y = DequantizeLinear(q, s, z)", **SCALE),
    proven("q = QuantizeLinear(x, s, z) y = DequantizeLinear(q, s, z)", opset=10, **SCALE),
    proven(
        "q = QuantizeLinear<axis=1>(x, t, w) y = DequantizeLinear<axis=-1>(q, t, w)",
        t=np.arange(1.0, 5),
        w=np.zeros(4, np.int8),
    ),
    unproven(
        "QuantizeLinear",
        "q = QuantizeLinear<axis=0>(x, t, w) y = DequantizeLinear<axis=0>(q, t, w)",
        shape="6,4",
        t=np.arange(1.0, 7),
        w=np.zeros(6, np.int8),
    ),
    unproven(
        "QuantizeLinear",
        "q = QuantizeLinear<axis=1,block_size=2>(x, t, w) "
        "y = DequantizeLinear<axis=1,block_size=2>(q, t, w)",
        opset=21,
        shape="6,4",
        t=np.ones((6, 2)),
        w=np.zeros((6, 2), np.int8),
    ),
    refused(
        "ReduceMax",
        "m = ReduceMax<keepdims=0>(x) q = QuantizeLinear(x, m, z) y = DequantizeLinear(q, m, z)",
        **SCALE,
    ),
    unproven(
        "QuantizeLinear",
        "m = ReduceMax<keepdims=0>(x, i1) q = QuantizeLinear<axis=1>(x, m, z) "
        "y = DequantizeLinear(q, m, z)",
        shape="4,4",
        **SCALE,
    ),
    unproven(
        "DequantizeLinear",
        "q = QuantizeLinear(x, s, z) y = DequantizeLinear<axis=1>(q, t)",
        opset=21,
        shape="6,4",
        t=np.ones((6, 4)),
        **SCALE,
    ),
    unproven(
        "DequantizeLinear",
        "q = QuantizeLinear(x, s, z) y = DequantizeLinear<axis=1,block_size=2>(q, t)",
        opset=21,
        shape="6,4",
        t=np.ones(2),
        **SCALE,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_verdict(case: Case) -> None:
    case.check()
