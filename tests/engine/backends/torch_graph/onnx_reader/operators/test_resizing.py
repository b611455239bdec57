from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from torch import fx

from smoothcert.engine.backends.torch_graph.onnx_reader.reading import (
    UnsupportedGraphError,
    read_module,
)

Same = Callable[..., fx.GraphModule]

_NEAREST = [
    'coordinate_transformation_mode="asymmetric", nearest_mode="floor"',
    'coordinate_transformation_mode="half_pixel", nearest_mode="round_prefer_floor"',
    'coordinate_transformation_mode="half_pixel", nearest_mode="round_prefer_ceil"',
    'coordinate_transformation_mode="pytorch_half_pixel"',
    "cubic_coeff_a=-0.75",
]
_LINEAR = ["half_pixel", "pytorch_half_pixel", "align_corners"]


def _factors(*factors: float) -> dict[str, object]:
    return {"scales": np.array(factors, np.float32), "roi": np.array([], np.float32)}


@pytest.mark.parametrize("how", _NEAREST)
@pytest.mark.parametrize("opset", [11, 13, 19])
@pytest.mark.parametrize("factors", [(2, 2), (3, 1), (7, 41)])
def test_pixels_become_blocks(same: Same, how: str, opset: int, factors: tuple[int, int]) -> None:
    line = f'y = Resize<mode="nearest", {how}>(x, roi, scales)'
    same(line, shape=(2, 5, 6), opset=opset, **_factors(1, 1, *factors))


def test_blocks_in_older_opsets(same: Same) -> None:
    same('y = Resize<mode="nearest">(x, scales)', opset=10, **_factors(1, 1, 2, 3))
    same('y = Upsample<mode="nearest">(x, scales)', opset=9, **_factors(1, 1, 2, 3))


@pytest.mark.parametrize("position", _LINEAR)
@pytest.mark.parametrize("opset", [11, 18])
def test_pixels_between_pixels(same: Same, position: str, opset: int) -> None:
    line = f'y = Resize<mode="linear", coordinate_transformation_mode="{position}">(x, roi, scales)'
    same(line, shape=(2, 5, 6), opset=opset, within=2e-5, **_factors(1, 1, 2, 3))


def test_sizes_instead_of_factors(same: Same) -> None:
    line = 'Resize<mode="linear", coordinate_transformation_mode="half_pixel"'
    same(f"y = {line}>(x, , , sizes)", shape=(2, 5, 6), sizes=np.array([3, 2, 10, 18]))
    same(f"y = {line}, axes=[3,2]>(x, , , sizes)", shape=(2, 5, 6), sizes=np.array([18, 10]))
    same(f"y = {line}>(x, , , sizes)", shape=(2, 5, 6), sizes=np.array([3, 2, 5, 6]))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('y = Resize<mode="linear">(x, , half)', "a factor of 1.5, which is not whole"),
        ("y = Resize(x, , , sizes)", r"\[2, 2, 4, 4\] into \[2, 2, 6, 6\]: expected whole factors"),
        ("y = Resize(x, , channels)", r"\[2, 2, 4, 4\] into \[2, 4, 4, 4\]: expected"),
        ('y = Resize<mode="cubic">(x, , twice)', "mode cubic, half_pixel"),
        (
            'y = Resize<coordinate_transformation_mode="asymmetric">(x, , twice)',
            "mode nearest, asym",
        ),
        ('y = Resize<mode="linear", antialias=1>(x, , twice)', "antialias is 1"),
        ('y = Resize<keep_aspect_ratio_policy="not_larger">(x, , , sizes)', "keep_aspect"),
        ("y = Resize(x, , x)", "scales must be given and must not be computed"),
    ],
)
def test_refusals(graph_file: Callable[..., Path], line: str, reason: str) -> None:
    path = graph_file(
        line, shape=(2, 4, 4), sizes=np.array([2, 2, 6, 6]),
        half=np.array([1, 1, 1.5, 2], np.float32), channels=np.array([1, 2, 1, 1], np.float32),
        twice=np.array([1, 1, 2, 2], np.float32),
    )  # fmt: skip
    with pytest.raises(UnsupportedGraphError, match=rf"Resize \(opset 18\), node 'y': {reason}"):
        read_module(path, 2)
