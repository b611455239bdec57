from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch import fx

from smoothcert.engine.backends.torch_graph.onnx_reader.reading import (
    UnsupportedGraphError,
    read_module,
)

Same = Callable[..., fx.GraphModule]


def _mask(*shape: int, dtype: Any = np.float32) -> Any:
    return np.random.default_rng(0).standard_normal(shape).astype(dtype)


_APART = ["k = Sin(x)", "v = Cos(x)"]


@pytest.mark.parametrize("opset", [23, 24])
@pytest.mark.parametrize(
    "attention",
    [
        "Attention(x, k, v)",
        "Attention<scale=0.3>(x, k, v)",
        "Attention<is_causal=1>(x, k, v)",
        "Attention<softmax_precision=1, softcap=0.0>(x, k, v)",
        "Attention(x, k, v, mask)",
        "Attention(x, k, v, rows)",
        "Attention(x, k, v, seen)",
    ],
)
def test_heads_apart(same: Same, attention: str, opset: int) -> None:
    seen = np.tril(np.ones((6, 6), bool))
    module = same(*_APART, f"y = {attention}", shape=(4, 6, 8), opset=opset, reference=True,
                  mask=_mask(1, 4, 6, 6), rows=_mask(6, 6), seen=seen)  # fmt: skip
    assert len(module.graph.nodes) <= 6


@pytest.mark.parametrize("mask", ["", ", mask"])
def test_heads_side_by_side(same: Same, mask: str) -> None:
    line = f"y = Attention<q_num_heads=2, kv_num_heads=2>(x, k, v{mask})"
    same(*_APART, line, shape=(6, 8), opset=23, reference=True, mask=_mask(6, 6))


@pytest.mark.parametrize(
    ("attention", "reason"),
    [
        ("Attention<softcap=2.0>(x, k, v)", r"softcap is 2\.0"),
        ("Attention<qk_matmul_output_mode=1>(x, k, v)", "qk_matmul_output_mode is 1"),
        ("Attention<left_window_size=2>(x, k, v)", "attribute left_window_size is not brought"),
        ("Attention<is_causal=1>(x, k, v, rows)", "a mask beside is_causal"),
        ("Attention<is_causal=1>(x, fewer, fewer)", "is_causal with other numbers"),
        ("Attention(x, k, v, short)", "a mask of another shape"),
        ("Attention(x, k, v, zero)", "a mask of torch.int64 for queries of torch.float32"),
        ("Attention(x, k, v, blind)", "a mask of another shape, or one that hides every key"),
        ("Attention(x, k, v, x)", "the mask must be given and must not be computed"),
        ("Attention(x, k, v, , k, v)", "keys and values of the past"),
        ("Attention(x, one, one)", "4 heads of queries and 1 of keys"),
    ],
)
def test_refusals(graph_file: Callable[..., Path], attention: str, reason: str) -> None:
    blind = np.zeros((6, 6), np.float32)
    blind[2] = -np.inf
    path = graph_file(
        *_APART, "fewer = Slice(x, zero, five, two)", "one = Slice(x, zero, first, first)",
        f"y = {attention}", shape=(4, 6, 8), opset=25, rows=_mask(6, 6), short=_mask(6, 5),
        blind=blind, zero=np.array([0]), five=np.array([5]), two=np.array([2]),
        first=np.array([1]),
    )  # fmt: skip
    with pytest.raises(UnsupportedGraphError, match=rf"Attention \(opset 25\), node 'y': {reason}"):
        read_module(path, 2)


def test_heads_must_be_told_where_they_stand_side_by_side(graph_file: Callable[..., Path]) -> None:
    path = graph_file("y = Attention(x, x, x)", shape=(6, 8), opset=23)
    with pytest.raises(UnsupportedGraphError, match="0 heads of 8 numbers in all"):
        read_module(path, 2)
