from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto
from torch import fx, nn

from smoothcert.engine.backends.torch_graph.onnx_reader.reading import (
    UnsupportedGraphError,
    read_module,
)

Same = Callable[..., fx.GraphModule]


def _weights(*shape: int, dtype: Any = np.float32) -> Any:
    return np.random.default_rng(0).standard_normal(shape).astype(dtype)


@pytest.mark.parametrize(
    "attributes",
    [
        "",
        "<strides=[2,3]>",
        "<pads=[1,1,1,1], strides=[2,2]>",
        "<pads=[0,1,2,3]>",
        "<pads=[2,2,2,2], dilations=[2,1], kernel_shape=[3,3]>",
        '<auto_pad="VALID">',
        '<auto_pad="SAME_UPPER", strides=[2,2]>',
        '<auto_pad="SAME_LOWER", strides=[2,3]>',
        '<auto_pad="SAME_UPPER", strides=[3,1]>',
    ],
)
@pytest.mark.parametrize("groups", [1, 2, 4])
def test_windows_and_groups(same: Same, attributes: str, groups: int) -> None:
    fields = [attributes.strip("<>")] * bool(attributes) + [f"group={groups}"]
    module = same(
        f"y = Conv<{', '.join(fields)}>(x, w, b)", shape=(4, 11, 10), opset=11,
        w=_weights(8, 4 // groups, 3, 3), b=_weights(8),
    )  # fmt: skip
    convolutions = [layer for layer in module.modules() if isinstance(layer, nn.Conv2d)]
    assert [layer.groups for layer in convolutions] == [groups]


@pytest.mark.parametrize(("rank", "kind"), [(1, nn.Conv1d), (3, nn.Conv3d)])
def test_other_numbers_of_axes(same: Same, rank: int, kind: type[nn.Module]) -> None:
    module = same("y = Conv(x, w)", shape=(2, *[6] * rank), opset=22, w=_weights(4, 2, *[3] * rank))
    assert sum(isinstance(layer, kind) for layer in module.modules()) == 1


def test_halves_stay_halves(same: Same) -> None:
    module = same(
        "y = Conv(x, w, b)", within=2e-3, scalar=TensorProto.FLOAT16, result=TensorProto.FLOAT16,
        w=_weights(4, 3, 3, 3, dtype=np.float16), b=_weights(4, dtype=np.float16),
    )  # fmt: skip
    assert {parameter.dtype.itemsize for parameter in module.parameters()} == {2}


def test_a_shared_weight_stays_one_parameter(same: Same) -> None:
    module = same(
        "w2 = Identity(w)", "a = Conv<pads=[1,1,1,1]>(x, w)", "b = Relu(a)",
        "y = Conv<pads=[1,1,1,1]>(b, w2)", w=_weights(3, 3, 3, 3),
    )  # fmt: skip
    first, second = (layer for layer in module.modules() if isinstance(layer, nn.Conv2d))
    assert first.weight is second.weight


def test_a_weight_that_is_computed_from_constants_is_known(same: Same) -> None:
    same(
        "w2 = Transpose<perm=[1,0,2,3]>(w)", "n = ReduceL2<keepdims=1>(w2, axes)",
        "w3 = Div(w2, n)", "y = Conv(x, w3)",
        w=_weights(3, 5, 3, 3), axes=np.array([1, 2, 3]),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (["k = ReduceMean(x, axes)", "y = Conv(x, k)"], "the weight must be given and must not"),
        (["b = ReduceSum(x)", "y = Conv(x, w, b)"], "the bias must be given and must not"),
        (["y = Conv<kernel_shape=[2,2]>(x, w)"], r"kernel_shape \[2, 2\] with a weight of shape"),
        (["y = Conv<group=3>(x, w)"], r"3 channels with a weight of shape \[4, 3, 3, 3\]"),
        (['y = Conv<auto_pad="ODD">(x, w)'], "auto_pad is ODD"),
        (['y = Conv<auto_pad="SAME_UPPER", dilations=[2,2]>(x, w)'], "auto_pad SAME_UPPER with"),
        (["y = Conv<pads=[-1,0,0,0]>(x, w)"], r"strides .*pads \(-1, 0, 0, 0\)"),
        (["h = Cast<to=10>(x)", "y = Conv(h, w)"], r"an image of .*float16 with a weight of"),
    ],
)
def test_refusals(graph_file: Callable[..., Path], lines: list[str], reason: str) -> None:
    path = graph_file(*lines, w=_weights(4, 3, 3, 3), axes=np.array([0]))
    with pytest.raises(UnsupportedGraphError, match=rf"Conv \(opset 18\), node 'y': {reason}"):
        read_module(path, 2)
