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

_LONG = 2**63 - 1


@pytest.mark.parametrize(
    ("start", "end", "step"),
    [(0, 5, 1), (1, _LONG, 2), (-3, -1, 1), (5, 2, 1), (-1, -_LONG, -1), (6, 1, -2), (9, -9, -3),
     (-100, 100, 3), (2, -6, -1)],
)  # fmt: skip
def test_slices(same: Same, start: int, end: int, step: int) -> None:
    given = {"starts": [start, 0], "ends": [end, 2], "axes": [-1, 1], "steps": [step, 1]}
    arrays = {name: np.array(value) for name, value in given.items()}
    lines = ["a = Slice(x, starts, ends, axes, steps)", "y = Concat<axis=-1>(a, x2)",
             "x2 = Slice(x, zero, two, one)"]  # fmt: skip
    same(*lines[::2], lines[1], shape=(3, 4, 7), opset=10, zero=np.array([0]), two=np.array([2]),
         one=np.array([1]), **arrays)  # fmt: skip


def test_slices_by_attributes_before_opset_10(same: Same) -> None:
    same("y = Slice<starts=[1,-5], ends=[3,9223372036854775807], axes=[1,3]>(x)", opset=9)
    same("y = Slice<starts=[0,1], ends=[9,2]>(x)", opset=9)


def test_parts(same: Same) -> None:
    join = "y = Concat<axis=1>(b, a)"
    sizes = np.array([1, 4])
    same("a, b = Split<axis=1, split=[1,4]>(x)", join, shape=(5, 4), opset=11)
    same("a, b = Split<axis=1>(x)", join, shape=(6, 4), opset=11)
    same("a, b = Split<axis=-2>(x, sizes)", join, shape=(5, 4), opset=13, sizes=sizes)
    same("a, b = Split<axis=1, num_outputs=2>(x)", join, shape=(5, 4), opset=18)
    same("a, b = Split<axis=1>(x, sizes)", join, shape=(5, 4), opset=18, sizes=sizes)
    same("a, y = Split<axis=1, num_outputs=2>(x)", shape=(6, 4), opset=18)


@pytest.mark.parametrize("axis", [0, 2, -1])
@pytest.mark.parametrize(
    "indices", [np.int64(1), np.int64(-2), np.array([2, 0, -1]), np.array([[0, 1], [-1, 2]]),
                np.array([0], np.int32)],
)  # fmt: skip
def test_gather(
    same: Same, axis: int, indices: np.ndarray[tuple[int, ...], np.dtype[np.int64]]
) -> None:
    same(f"y = Gather<axis={axis}>(x, i)", shape=(3, 4, 5), i=indices)


def test_slices_of_a_tensor_are_replaced(same: Same) -> None:
    places = np.array([[[0, 1], [2, 2]]])
    values = np.random.default_rng(0).random((1, 2, 4)).astype(np.float32)
    same("y = ScatterND(x, i, u)", shape=(3, 4), i=places, u=values)
    same("y = ScatterND(x, i, u)", shape=(3, 4), i=np.array([[0, -2, 1]]),
         u=np.array([5], np.float32))  # fmt: skip
    same("y = ScatterND(c, i, x)", shape=(4,), batch=2, i=np.array([[1], [3]]),
         c=np.ones((5, 4), np.float32))  # fmt: skip


@pytest.mark.parametrize("shape", [(2, 1), (2, 3, 1, 2), (1, 3), (4,)])
def test_slices_of_a_tensor_are_gathered(same: Same, shape: tuple[int, ...]) -> None:
    places = np.random.default_rng(0).integers(-2, 2, shape)
    same("y = GatherND(x, i)", shape=(3, 4, 5), opset=12, i=places)
    same("z = GatherND(c, i)", "y = Add(x, z)", shape=(1,) * 5, opset=12, i=places,
         c=np.random.default_rng(1).random((2, 3, 4, 5)).astype(np.float32))  # fmt: skip


@pytest.mark.parametrize("upper", [0, 1])
@pytest.mark.parametrize("diagonal", ["", ", k"])
def test_triangles(same: Same, upper: int, diagonal: str) -> None:
    same(f"y = Trilu<upper={upper}>(x{diagonal})", opset=14, k=np.int64(-2))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("y = Gather(x, computed)", "the indices must be given and must not be computed"),
        ("y = Gather<axis=1>(x, three)", r"indices 3 \.\. 3 of 3"),
        ("y = Gather<axis=4>(x, three)", r"axes \[4\] of 4 dimensions"),
        ("y = Slice(x, computed, three)", "starts must be given"),
        ("y = Slice(x, three, three, three, none)", "ValueError: slice step"),
        ("y, z = Split<axis=1>(x, three)", r"3 elements into \[3\]"),
        ("y, z = Split<axis=1, num_outputs=3>(x)", "num_outputs is not 2"),
        ("y = Concat<axis=1>(x, computed)", "parts of several types"),
        ('y = ScatterND<reduction="add">(x, three, x)', "reduction is add"),
        ("y = ScatterND(x, three, x)", "indices outside axis 0 of length 2"),
        ("y = GatherND(x, three)", "indices outside axis 0 of length 2"),
        ("y = GatherND(x, computed)", "the indices must be given and must not be computed"),
        ("y = GatherND<batch_dims=1>(x, three)", "batch_dims is 1"),
    ],
)
def test_refusals(graph_file: Callable[..., Path], line: str, reason: str) -> None:
    path = graph_file("computed = Cast<to=7>(x)", line, three=np.array([3]),
                      none=np.array([0]))  # fmt: skip
    with pytest.raises(UnsupportedGraphError, match=rf"\(opset 18\), node 'y': {reason}"):
        read_module(path, 2)
