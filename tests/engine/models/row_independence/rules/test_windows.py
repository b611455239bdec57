"""Images one after the other along axis 0: convolutions, poolings and their kind."""

import numpy as np
import pytest
from row_graphs import Case, meddled, proven, random, refused, unproven

IMAGE = {"shape": "N,4,4,4"}
FLAT = "y = Flatten(v)"
SCALES = {"s": np.ones(4), "b": np.zeros(4)}
BYTES = {"scale": np.float32(0.1), "zero8": np.uint8(0), "w8": np.ones((2, 4, 3, 3), np.uint8)}

CASES = [
    *[
        proven(f"v = {node} {FLAT}", **IMAGE, w=random(2, 4, 3, 3), t=random(4, 2, 3, 3), **SCALES)
        for node in (
            "Conv<pads=[1,1,1,1]>(x, w)",
            "ConvTranspose<strides=[2,2]>(x, t)",
            "MaxPool<kernel_shape=[2,2]>(x)",
            "AveragePool<kernel_shape=[2,2]>(x)",
            "LpPool<kernel_shape=[2,2]>(x)",
            "GlobalAveragePool(x)",
            "GlobalMaxPool(x)",
            "DepthToSpace<blocksize=2>(x)",
            "SpaceToDepth<blocksize=2>(x)",
            "LRN<size=3>(x)",
            "InstanceNormalization(x, s, b)",
        )
    ],
    proven(
        "v = GroupNormalization<num_groups=2>(x, s, b) y = Flatten(v)", opset=21, **IMAGE, **SCALES
    ),
    # Windows of an image may lie along the batch, as long as each is treated alone.
    proven(
        "u = Reshape(x, s) v = Conv(u, w) y = Reshape(v, back)",
        shape="N,6,4,4",
        s=[-1, 3, 4, 4],
        back=[-1, 2 * 3 * 4],
        w=random(3, 3, 3, 3),
    ),
    proven(
        "g = Transpose<perm=[0,2,3,1]>(x) h = Slice(g, i0, i2, i3) v = GridSample(x, h) "
        "y = Flatten(v)",
        **IMAGE,
    ),
    proven(
        "q = QuantizeLinear(x, scale, zero8) "
        "p = QLinearConv(q, scale, zero8, w8, scale, zero8, scale, zero8) "
        "v = DequantizeLinear(p, scale, zero8) y = Flatten(v)",
        **IMAGE,
        **BYTES,
    ),
    proven(
        "p = ConvInteger(x, w8) v = Cast<to=1>(p) y = Flatten(v)", kind="uint8", **IMAGE, **BYTES
    ),
    refused(
        "Conv",
        "u = Unsqueeze(x, i0) v = Conv(u, w) y = Squeeze(v, i0)",
        shape="6,4",
        w=random(6, 6, 1),
    ),
    unproven(
        "Conv",
        "u = Unsqueeze(x, i0) v = Conv<group=6>(u, w) y = Squeeze(v, i0)",
        shape="6,4",
        w=random(6, 1, 1),
    ),
    unproven(
        "ConvTranspose",
        "u = Unsqueeze(x, i0) v = ConvTranspose<group=2>(u, w) y = Squeeze(v, i0)",
        shape="6,4",
        w=random(6, 3, 1),
    ),
    unproven(
        "Conv",
        "u = Unsqueeze(x, a) v = Conv<pads=[1,0,1,0]>(u, w) y = Squeeze(v, a)",
        a=[0, 1],
        w=random(1, 1, 3, 1),
    ),
    unproven(
        "MaxPool",
        "u = Unsqueeze(x, a) v = MaxPool<kernel_shape=[3,1],pads=[1,0,1,0]>(u) y = Squeeze(v, a)",
        a=[0, 1],
    ),
    unproven(
        "MaxPool", "v, i = MaxPool<kernel_shape=[2,2]>(x) f = Cast<to=1>(i) y = Flatten(f)", **IMAGE
    ),
    refused(
        "InstanceNormalization",
        "u = Unsqueeze(x, i0) t = Transpose<perm=[0,2,1]>(u) "
        "n = InstanceNormalization(t, s, b) v = Transpose<perm=[0,2,1]>(n) "
        "y = Squeeze(v, i0)",
        shape="6,4",
        **SCALES,
    ),
    unproven(
        "Reshape",
        "u = Unsqueeze(x, i0) v = Reshape(u, r) n = InstanceNormalization(v, s, b) "
        "y = Reshape(n, back)",
        r=[1, 2, -1],
        back=[-1, 4],
        s=np.ones(2),
        b=np.zeros(2),
        shape="6,4",
    ),
    refused(
        "GlobalAveragePool",
        "t = Transpose<perm=[1,2,0,3]>(x) g = GlobalAveragePool(t) y = Reshape(g, r)",
        shape="4,4,4,4",
        r=[4, 4],
    ),
    # Weights that are made of the images themselves.
    unproven("Conv", "v = Conv(x, x) y = Flatten(v)", shape="4,4,4,4"),
    unproven("Conv", "v = Conv(w, x) y = Flatten(v)", shape="4,4,4,4", w=random(4, 4, 4, 4)),
    refused(
        "GridSample",
        "g = Tile(x, r) h = Reshape(x, r2) v = GridSample(g, h) y = Flatten(v)",
        shape="N,4,4,2",
        r=[2, 1, 1, 1],
        r2=[-1, 4, 2, 2],
    ),
    *meddled(
        "QLinearConv",
        "q = QuantizeLinear(x, s, z) p = QLinearConv(q, $s, $z, w8, $s, $z, $s, $z) "
        "v = DequantizeLinear(p, s, z) y = Flatten(v)",
        **IMAGE,
        z=np.uint8(0),
        s=np.float32(0.1),
        w8=np.ones((2, 4, 3, 3), np.uint8),
    ),
    proven(
        "o = Slice(x, i0, i2, i1) p = Slice(o, i0, i1, i2) r = Slice(p, i0, i1, i3) "
        "k = Slice(r, i0, i1, i1) "
        "v = DeformConv<kernel_shape=[1,1],strides=[4,4]>(x, w, r, , k) y = Flatten(v)",
        opset=19,
        **IMAGE,
        w=random(3, 4, 1, 1),
        runs=False,
    ),
    *meddled(
        "DeformConv",
        "o = Slice(x, i0, i2, i1) p = Slice(o, i0, i1, i2) r = Slice(p, i0, i1, i3) "
        "v = DeformConv<kernel_shape=[1,1],strides=[4,4]>(x, $w, r, $b) y = Flatten(v)",
        opset=19,
        **IMAGE,
        w=random(3, 4, 1, 1),
        b=random(3),
    ),
    refused(
        "DeformConv",
        "u = Reshape(x, s) o = Tile(x, two) p = Slice(o, i0, i2, i1) "
        "q = Slice(p, i0, i1, i2) r = Slice(q, i0, i1, i3) "
        "v = DeformConv<kernel_shape=[1,1],strides=[4,4]>(u, w, r) y = Flatten(v)",
        opset=19,
        **IMAGE,
        s=[-1, 2, 4, 4],
        two=[2, 1, 1, 1],
        w=random(3, 2, 1, 1),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_verdict(case: Case) -> None:
    case.check()
