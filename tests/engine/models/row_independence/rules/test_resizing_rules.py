"""Resize and Upsample: along the batch, scale 1 alone."""

import numpy as np
import pytest
from row_graphs import Case, proven, refused, unproven

IMAGE = "N,2,4,4"
NEAREST = 'mode="nearest"'

CASES = [
    proven('v = Resize<mode="linear">(x, , s) y = Flatten(v)', shape=IMAGE, s=[1.0, 1.0, 2.0, 1.5]),
    proven('v = Resize<mode="cubic">(x, , , s) y = Flatten(v)', shape="6,2,4,4", s=[6, 2, 8, 3]),
    proven(
        "n = Shape<end=1>(x) s = Concat<axis=0>(n, r) v = Resize(x, , , s) y = Flatten(v)",
        shape=IMAGE,
        r=[2, 8, 8],
    ),
    proven("v = Resize<axes=[2,3]>(x, , s) y = Flatten(v)", shape=IMAGE, s=[2.0, 0.5]),
    proven("v = Resize(x, s) y = Flatten(v)", shape=IMAGE, opset=10, s=[1.0, 1.0, 2.0, 2.0]),
    proven("v = Upsample(x, s) y = Flatten(v)", shape=IMAGE, opset=9, s=[1.0, 1.0, 2.0, 2.0]),
    proven("v = Upsample<scales=[1.0,1.0,2.0,2.0]>(x) y = Flatten(v)", shape=IMAGE, opset=7),
    refused(
        "Resize",
        'u = Resize<mode="linear">(x, , s) y = Resize<mode="linear">(u, , t)',
        s=[2.0, 1.0],
        t=[0.5, 1.0],
    ),
    refused("Resize", "y = Resize(x, , , s)", shape="6,4", s=[3, 4]),
    refused("Resize", "y = Resize<axes=[1,0]>(x, , s)", s=[1.0, 2.0]),
    refused("Resize", "y = Resize(x, s)", opset=10, s=[2.0, 1.0]),
    refused(
        "Upsample",
        "u = Upsample(x, s) y = Slice(u, i0, i6, i0)",
        shape="6,4",
        opset=9,
        s=[2.0, 1.0],
    ),
    unproven(
        "Resize",
        f'y = Resize<{NEAREST},coordinate_transformation_mode="tf_half_pixel_for_nn",'
        'nearest_mode="ceil">(x, , s)',
        opset=11,
        s=[1.0, 2.0],
    ),
    unproven(
        "Resize",
        f'y = Resize<{NEAREST},keep_aspect_ratio_policy="not_smaller">(x, , , s)',
        shape="6,4",
        s=[6, 8],
    ),
    unproven(
        "Resize",
        f'y = Resize<{NEAREST},coordinate_transformation_mode="tf_crop_and_resize">(x, r, s)',
        r=[1.0, 0.0, 0.0, 1.0],
        s=[1.0, 1.5],
    ),
    unproven(
        "Resize", "a = Abs(x) m = ReduceMax<keepdims=0>(a, i1) y = Resize(x, , m)", shape="2,4"
    ),
    unproven(
        "Resize",
        "m = ReduceMax<keepdims=0>(x, i1) "
        'y = Resize<axes=[1],coordinate_transformation_mode="tf_crop_and_resize">(x, m, '
        "s)",
        shape="2,4",
        s=np.array([1.5]),
    ),
    unproven("Resize", "e = Exp(f) y = Resize(x, , e)", f=[0.0, 0.7]),
    unproven("Upsample", "e = Exp(f) y = Upsample(x, e)", opset=9, f=[0.0, 0.7]),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_verdict(case: Case) -> None:
    case.check()
