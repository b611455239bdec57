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


@pytest.mark.parametrize("to", [(0, -1), (0, 0, 64), (-1, 8), (0, 3, 2, 4, 8), (3, 3, 8, 8)])
def test_reshape(same: Same, to: tuple[int, ...]) -> None:
    same("y = Reshape(x, to)", opset=9, to=np.array(to))
    if 0 not in to:
        same("y = Reshape<allowzero=1>(x, to)", opset=14, to=np.array(to))


@pytest.mark.parametrize("axis", [0, 1, 2, 4, -1])
def test_flatten(same: Same, axis: int) -> None:
    same(f"y = Flatten<axis={axis}>(x)", opset=13)


def test_flatten_by_default(same: Same) -> None:
    same("y = Flatten(x)", opset=9)


def test_axes_of_length_one_come_and_go(same: Same) -> None:
    axes = np.array([-1, 1])
    same("y = Unsqueeze<axes=[1, 5]>(x)", opset=11)
    same("y = Unsqueeze(x, axes)", opset=13, axes=axes)
    same("y = Squeeze<axes=[1, -1]>(x)", shape=(1, 4, 1), opset=11)
    same("y = Squeeze(x, axes)", shape=(1, 4, 1), opset=13, axes=axes)
    same("y = Squeeze(x)", shape=(1, 4, 1), opset=13)


@pytest.mark.parametrize("attribute", ["", "<perm=[0,2,3,1]>", "<perm=[3,0,2,1]>"])
def test_transpose(same: Same, attribute: str) -> None:
    same(f"y = Transpose{attribute}(x)", shape=(3, 4, 5))


@pytest.mark.parametrize("to", [(1,), (2, 1, 3, 4, 5), (3, 3, 4, 5), (1, 1, 1, 5)])
def test_expand(same: Same, to: tuple[int, ...]) -> None:
    same("y = Expand(x, to)", shape=(3, 4, 5), to=np.array(to))
    same("a = ReduceMax<axes=[2]>(x)", "y = Expand(a, to)", opset=13, shape=(3, 4, 5),
         to=np.array(to))  # fmt: skip


def test_tile(same: Same) -> None:
    same("y = Tile(x, repeats)", shape=(3, 4, 5), repeats=np.array([1, 2, 1, 3]))


@pytest.mark.parametrize("mode", ["DCR", "CRD"])
def test_channels_into_pixels(same: Same, mode: str) -> None:
    same(f'y = DepthToSpace<blocksize=2, mode="{mode}">(x)', shape=(12, 4, 5), opset=11)


def test_channels_into_pixels_by_default_and_back(same: Same) -> None:
    same("y = DepthToSpace<blocksize=3>(x)", shape=(18, 2, 3), opset=9)
    same("y = SpaceToDepth<blocksize=2>(x)", shape=(3, 4, 6), opset=9)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("y = Reshape(x, odd)", r"\[2, 3, 8, 8\] into \[5, 7\]"),
        ("y = Reshape<allowzero=1>(x, zero)", r"\[2, 3, 8, 8\] into \[0, 0\]"),
        ("y = Reshape(x, computed)", "the shape must be given and must not be computed"),
        ("y = Squeeze(x, one)", r"axes \[1\] of \[2, 3, 8, 8\]"),
        ("y = Squeeze(x, none)", "an empty list of axes"),
        ("y = Tile(x, one)", "1 repeats of 4 dimensions"),
        ("y = Flatten<axis=5>(x)", "axis 5 of 4 dimensions"),
        ("y = Transpose<perm=[0,1]>(x)", "RuntimeError: "),
        ('y = DepthToSpace<blocksize=1, mode="ODD">(x)', "mode is ODD"),
        ("y = Expand(x, odd)", "ValueError: "),
    ],
)
def test_refusals(graph_file: Callable[..., Path], line: str, reason: str) -> None:
    path = graph_file("computed = Cast<to=7>(x)", line, odd=np.array([5, 7]), one=np.array([1]),
                      zero=np.array([0, -1]), none=np.array([], np.int64))  # fmt: skip
    with pytest.raises(UnsupportedGraphError, match=rf"\(opset 18\), node 'y': {reason}"):
        read_module(path, 2)
