from collections.abc import Callable
from pathlib import Path

import pytest
from torch import fx

from smoothcert.engine.backends.torch_graph.onnx_reader.reading import (
    UnsupportedGraphError,
    read_module,
)

Same = Callable[..., fx.GraphModule]

_WINDOWS = [
    "kernel_shape=[2,2]",
    "kernel_shape=[3,2], strides=[2,3]",
    "kernel_shape=[3,3], strides=[2,2], pads=[1,1,1,1]",
    "kernel_shape=[3,3], strides=[2,2], pads=[0,0,1,1]",
    "kernel_shape=[2,2], strides=[1,1], pads=[1,0,0,1]",
    "kernel_shape=[3,3], pads=[2,2,2,2]",
    'kernel_shape=[3,3], strides=[2,2], auto_pad="SAME_UPPER"',
    'kernel_shape=[2,2], strides=[1,2], auto_pad="SAME_LOWER"',
    'kernel_shape=[3,3], strides=[2,2], auto_pad="VALID"',
    "kernel_shape=[3,3], strides=[2,2], ceil_mode=1",
    "kernel_shape=[3,3], strides=[2,2], pads=[1,1,1,1], ceil_mode=1",
    "kernel_shape=[2,2], strides=[3,3], pads=[1,1,1,1], ceil_mode=1",
]


@pytest.mark.parametrize("window", _WINDOWS)
@pytest.mark.parametrize("side", [8, 9])
@pytest.mark.parametrize("opset", [10, 18, 22])
def test_maxima(same: Same, window: str, side: int, opset: int) -> None:
    same(f"y = MaxPool<{window}>(x)", shape=(2, side, side), opset=opset)


@pytest.mark.parametrize("window", _WINDOWS)
@pytest.mark.parametrize("side", [8, 9])
@pytest.mark.parametrize("count", [0, 1])
@pytest.mark.parametrize("opset", [10, 19])
def test_means(same: Same, window: str, side: int, count: int, opset: int) -> None:
    line = f"y = AveragePool<{window}, count_include_pad={count}>(x)"
    same(line, shape=(2, side, side), opset=opset)


@pytest.mark.parametrize("rank", [1, 3])
@pytest.mark.parametrize("name", ["MaxPool", "AveragePool"])
def test_other_numbers_of_axes(same: Same, name: str, rank: int) -> None:
    sizes, pads = [3] * rank, [0] * rank + [1] * rank
    same(f"y = {name}<kernel_shape={sizes}, pads={pads}>(x)", shape=(2, *[6] * rank))


@pytest.mark.parametrize("pads", ["", ", pads=[1,1,1,1]", ", pads=[2,0,1,1]"])
def test_spread_windows(same: Same, pads: str) -> None:
    same(f"y = MaxPool<kernel_shape=[3,2], dilations=[2,3]{pads}>(x)", shape=(2, 9, 9))


@pytest.mark.parametrize("name", ["GlobalAveragePool", "GlobalMaxPool"])
def test_whole_images(same: Same, name: str) -> None:
    same(f"y = {name}(x)", opset=9)


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (["y, i = MaxPool<kernel_shape=[2,2]>(x)", "z = Neg(i)"], "input 'i', output 2 of MaxPool"),
        (["z = MaxPool<kernel_shape=[3,3], pads=[0,0,1,1], ceil_mode=1, strides=[4,4]>(x)"],
         "ceil_mode with pads"),
        (["z = MaxPool<kernel_shape=[2,2], pads=[2,2,2,2]>(x)"], r"pads \[2, 2, 2, 2\] with"),
        (["z = AveragePool<kernel_shape=[2,2], dilations=[2,2]>(x)"], r"dilations \[2, 2\]"),
        (["i = Cast<to=3>(x)", "z = MaxPool<kernel_shape=[2,2]>(i)"], "images of torch.int8"),
        (["z = MaxPool<kernel_shape=[2,2,2]>(x)"], "a kernel of 3 axes over 2 spatial ones"),
    ],
)  # fmt: skip
def test_refusals(graph_file: Callable[..., Path], lines: list[str], reason: str) -> None:
    with pytest.raises(UnsupportedGraphError, match=rf"\(opset 19\), node 'z': {reason}"):
        read_module(graph_file(*lines, opset=19), 2)
