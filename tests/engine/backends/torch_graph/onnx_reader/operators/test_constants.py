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


@pytest.mark.parametrize(
    ("constant", "number"),
    [
        ("value = float[2] {0.5, 2.0}", "c"),
        ("value_float = 0.25", "c"),
        ("value_floats = [0.5, 1.0]", "c"),
        ("value_int = 3", "i"),
        ("value_ints = [3, -4]", "i"),
    ],
)
def test_constants(same: Same, constant: str, number: str) -> None:
    lines = [f"{number} = Constant<{constant}>()"]
    lines += ["c = Cast<to=1>(i)"] if number == "i" else []
    same(*lines, "y = Mul(x, c)", shape=(3, 2), opset=13)


def test_what_depends_on_shapes_alone_is_computed_at_once(same: Same) -> None:
    module = same(
        "shape = Shape(x)", "last = Gather(shape, minus)", "line = Range(zero, last, one)",
        "ramp = Cast<to=1>(line)", "a = Add(x, ramp)", "rows = Slice(shape, zeros, two)",
        "flat = Concat<axis=0>(rows, minuses)", "b = Reshape(a, flat)", "count = Size(x)",
        "float = Cast<to=1>(count)", "c = Div(b, float)", "tail = Shape<start=-2>(x)",
        "fill = ConstantOfShape<value = float[1] {0.5}>(tail)", "d = ReduceSum(fill)",
        "y = Add(c, d)", opset=15, minus=np.int64(-1), zero=np.int64(0), one=np.int64(1),
        zeros=np.array([0]), two=np.array([2]), minuses=np.array([-1]),
    )  # fmt: skip
    assert len(module.graph.nodes) == 7  # images, the ramp, three sums, a reshape, the output


def test_zeros_of_a_shape(same: Same) -> None:
    same("zeros = ConstantOfShape(s)", "y = Concat<axis=1>(x, zeros)", batch=3,
         s=np.array([3, 2, 8, 8]))  # fmt: skip


@pytest.mark.parametrize("end", ["", ", end=-1"])
@pytest.mark.parametrize("start", ["start=1", "start=-3"])
def test_parts_of_shapes(same: Same, start: str, end: str) -> None:
    same(f"s = Shape<{start}{end}>(x)", "f = Cast<to=1>(s)", "m = ReduceMean(f)",
         "y = Add(x, m)", opset=15)  # fmt: skip


@pytest.mark.parametrize("line", ['c = Constant<value_string="a">()', "c = Range(x, x, x)"])
def test_refusals(graph_file: Callable[..., Path], line: str) -> None:
    with pytest.raises(UnsupportedGraphError, match=r"(Constant|Range) \(opset 13\), node 'c': a"):
        read_module(graph_file(line, "y = Add(x, c)", opset=13), 2)
