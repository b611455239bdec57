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

_PLAIN = ["ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum"]
_CHANGING = ["ReduceL1", "ReduceL2", "ReduceLogSumExp", "ReduceSumSquare"]


@pytest.mark.parametrize("name", [*_PLAIN, *_CHANGING])
@pytest.mark.parametrize("keep", [0, 1])
def test_axes_are_an_attribute_and_later_an_input(same: Same, name: str, keep: int) -> None:
    for axes in ([2, -1], [1]):
        same(f"y = {name}<axes={axes}, keepdims={keep}>(x)", opset=12)
        same(f"y = {name}<keepdims={keep}>(x, axes)", opset=18, axes=np.array(axes))
    same(f"y = {name}<keepdims={keep}>(x)", shape=(2, 3), opset=18)


def test_the_sum_took_axes_as_an_input_earlier(same: Same) -> None:
    same("y = ReduceSum(x, axes)", opset=13, axes=np.array([1]))
    same("y = ReduceMean<axes=[1]>(x)", opset=13)


def test_the_logarithm_of_a_sum(same: Same) -> None:
    same("a = Exp(x)", "y = ReduceLogSum(a, axes)", axes=np.array([2]))


@pytest.mark.parametrize("name", _PLAIN)
def test_no_axes_may_mean_none(same: Same, name: str) -> None:
    same(f"a = {name}<noop_with_empty_axes=1>(x)", "y = Sin(a)")


@pytest.mark.parametrize("name", _CHANGING)
def test_no_axes_is_refused_where_it_might_still_mean_something(
    graph_file: Callable[..., Path], name: str
) -> None:
    path = graph_file(f"y = {name}<noop_with_empty_axes=1>(x)")
    with pytest.raises(UnsupportedGraphError, match=f"{name} .*noop_with_empty_axes without axes"):
        read_module(path, 2)


def test_integers_keep_their_type(same: Same) -> None:
    same("a = Mul(x, ten)", "b = Cast<to=6>(a)", "c = ReduceSum(b, axes)", "y = Cast<to=1>(c)",
         ten=np.float32(10), axes=np.array([1]))  # fmt: skip


@pytest.mark.parametrize("axis", [1, -1])
@pytest.mark.parametrize("reverse", [0, 1])
def test_cumulative_sums(same: Same, axis: int, reverse: int) -> None:
    same(f"y = CumSum<reverse={reverse}>(x, axis)", opset=14, axis=np.int64(axis))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("y = ReduceMean(x, outside)", r"axes \[4\] of 4 dimensions"),
        ("y = ReduceMean(x, twice)", r"axes \[1, -3\] of 4 dimensions"),
        ("y = CumSum<exclusive=1>(x, outside)", "exclusive is 1"),
        ("y = ReduceMean(x, computed)", "axes must be given and must not be computed"),
    ],
)
def test_refusals(graph_file: Callable[..., Path], line: str, reason: str) -> None:
    path = graph_file("computed = Cast<to=7>(x)", line, outside=np.array([4]),
                      twice=np.array([1, -3]))  # fmt: skip
    with pytest.raises(UnsupportedGraphError, match=rf"\(opset 18\), node 'y': {reason}"):
        read_module(path, 2)
