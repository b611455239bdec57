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


def test_attributes_before_opset_11(same: Same) -> None:
    same("y = Pad<pads=[0,1,2,3,0,0,1,2], value=0.5>(x)", opset=10)
    same('y = Pad<pads=[0,0,2,3,0,0,1,2], mode="reflect">(x)', opset=9)


@pytest.mark.parametrize("opset", [11, 18, 21])
def test_inputs_since(same: Same, opset: int) -> None:
    pads = np.array([0, 1, 2, 0, 0, 0, 1, 3])
    same("y = Pad(x, pads, value)", opset=opset, pads=pads, value=np.float32(-1.5))
    same("y = Pad(x, pads)", opset=opset, pads=pads)
    same("y = Pad(x, pads)", opset=opset, pads=np.array([0, 0, -1, 0, 0, 0, -2, 3]))
    same("y = Pad(x, pads)", opset=opset, pads=np.zeros(8, np.int64))


def test_axes_since_opset_18(same: Same) -> None:
    axes, pads = np.array([-1, 1]), np.array([1, 2, 0, 3])
    same("y = Pad(x, pads, value, axes)", pads=pads, axes=axes, value=np.float32(2))
    same("y = Pad(x, pads, , axes)", pads=pads, axes=axes)


@pytest.mark.parametrize("mode", ["reflect", "edge", "wrap"])
def test_rims_made_of_the_image(same: Same, mode: str) -> None:
    line = f'y = Pad<mode="{mode}">(x, pads)'
    same(line, opset=19, pads=np.array([0, 0, 2, 1, 0, 0, 0, 3]))
    same(line, opset=19, shape=(3, 8), pads=np.array([0, 0, 2, 0, 0, 1]))


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (['y = Pad<mode="reflect">(x, channels)'], "mode reflect with pads"),
        (['y = Pad<mode="odd">(x, sides)'], "mode odd with pads"),
        (['y = Pad<mode="edge">(x, less)'], "mode edge with negative pads"),
        (["y = Pad(x, few)"], "2 pads for 4 axes"),
        (["a = Shape(x)", "b = ReduceSum(x)", "c = Cast<to=7>(b)", "y = Pad(x, c)"], "pads must"),
        (["m = ReduceMax<keepdims=0>(x)", "y = Pad(x, sides, m)"], "the value must be given"),
    ],
)
def test_refusals(graph_file: Callable[..., Path], lines: list[str], reason: str) -> None:
    path = graph_file(
        *lines, opset=19, channels=np.array([0, 1, 0, 0, 0, 0, 0, 0]), few=np.array([1, 1]),
        sides=np.array([0, 0, 1, 1, 0, 0, 1, 1]), less=np.array([0, 0, -1, 1, 0, 0, 1, 1]),
    )  # fmt: skip
    with pytest.raises(UnsupportedGraphError, match=rf"Pad \(opset 19\), node 'y': {reason}"):
        read_module(path, 2)
