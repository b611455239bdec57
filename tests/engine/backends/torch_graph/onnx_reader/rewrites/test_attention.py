from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from torch import fx

Same = Callable[..., fx.GraphModule]
Operations = Callable[[fx.GraphModule], Counter[str]]

FUSED = "scaled_dot_product_attention"
_QKV = ["q = Sin(x)", "k = Cos(x)", "v = Tanh(x)"]
_END = ["p = Softmax<axis=-1>(s)", "y = MatMul(p, v)"]
_KEYS = "t = Transpose<perm=[0,1,3,2]>(k)"


def _constants(length: int = 6) -> dict[str, Any]:
    mask = np.random.default_rng(0).standard_normal((1, 4, length, length)).astype(np.float32)
    blind = mask.copy()
    blind[0, 2, 3] = -np.inf
    return {"scale": np.float32(0.3), "root": np.float32(0.3**0.5), "minus": np.float32(-0.3),
            "three": np.float32(3), "mask": mask, "blind": blind, "each": mask[:, :, :, :1] + 1,
            "stack": np.array([-1, 6, 5]), "apart": np.array([-1, 4, 5, 6])}  # fmt: skip


@pytest.mark.parametrize(
    "lines",
    [
        [_KEYS, "s = MatMul(q, t)"],
        [_KEYS, "m = MatMul(q, t)", "s = Mul(m, scale)"],
        [_KEYS, "m = MatMul(q, t)", "s = Div(m, three)"],
        [_KEYS, "a = Mul(q, scale)", "s = MatMul(a, t)"],
        [_KEYS, "a = Mul(q, root)", "b = Mul(t, root)", "s = MatMul(a, b)"],
        ["l = Mul(k, root)", "t = Transpose<perm=[0,1,3,2]>(l)", "a = Mul(root, q)",
         "s = MatMul(a, t)"],
        [_KEYS, "m = MatMul(q, t)", "n = Mul(m, scale)", "s = Add(n, mask)"],
        [_KEYS, "m = MatMul(q, t)", "s = Add(mask, m)"],
        ["f = Reshape(k, stack)", "g = Transpose<perm=[0,2,1]>(f)", "t = Reshape(g, apart)",
         "s = MatMul(q, t)"],
    ],
)  # fmt: skip
def test_attention_is_one_call(same: Same, operations: Operations, lines: list[str]) -> None:
    module = same(*_QKV, *lines, *_END, shape=(4, 6, 5), within=2e-5, **_constants())
    found = operations(module)
    assert found[FUSED] == 1
    assert found.keys() <= {FUSED, "sin", "cos", "tanh"}


def test_queries_and_keys_from_heads_side_by_side(same: Same, operations: Operations) -> None:
    module = same(
        *_QKV, "a = Transpose<perm=[0,2,1,3]>(q)", "t = Transpose<perm=[0,2,3,1]>(k)",
        "w = Transpose<perm=[0,2,1,3]>(v)", "s = MatMul(a, t)", "p = Softmax<axis=3>(s)",
        "y = MatMul(p, w)", shape=(6, 4, 5),
    )  # fmt: skip
    assert operations(module)[FUSED] == 1
    assert operations(module)["permute"] == 3


@pytest.mark.parametrize("mask", ["Identity(m)", "Add(m, wide)", "Add(m, plain)"])
def test_three_dimensions_become_four(same: Same, operations: Operations, mask: str) -> None:
    wide = np.random.default_rng(1).standard_normal((1, 6, 6)).astype(np.float32)
    module = same(
        *_QKV, "t = Transpose<perm=[0,2,1]>(k)", "m = MatMul(q, t)", f"s = {mask}", *_END,
        shape=(6, 5), wide=wide, plain=wide[0],
    )  # fmt: skip
    assert operations(module)[FUSED] == 1


@pytest.mark.parametrize(
    "lines",
    [
        [_KEYS, "m = MatMul(q, t)", "s = Mul(m, minus)", *_END],
        [_KEYS, "s = MatMul(q, t)", "p = Softmax<axis=2>(s)", "y = MatMul(p, v)"],
        [_KEYS, "s = MatMul(q, t)", "p = Softmax<axis=-1>(s)", "z = MatMul(p, v)",
         "r = ReduceMax<keepdims=1>(p)", "y = Add(z, r)"],
        [_KEYS, "s = MatMul(q, t)", "p = Softmax<axis=-1>(s)", "z = MatMul(p, v)",
         "r = ReduceMax<keepdims=1>(s)", "y = Add(z, r)"],
        [_KEYS, "m = MatMul(q, t)", "s = Mul(m, each)", *_END],
        [_KEYS, "m = MatMul(q, t)", "n = Add(m, mask)", "s = Mul(n, scale)", *_END],
        [_KEYS, "m = MatMul(q, t)", "n = Sin(m)", "s = Add(m, n)", *_END],
        [_KEYS, "s = MatMul(q, t)", "p = Softmax<axis=-1>(s)", "y = MatMul(v2, p)",
         "v2 = Transpose<perm=[0,1,3,2]>(v)"],
    ],
)  # fmt: skip
def test_what_is_not_exactly_that_stays(
    same: Same, operations: Operations, lines: list[str]
) -> None:
    if lines[-1].startswith("v2"):
        lines = [lines[-1], *lines[:-1]]
    module = same(*_QKV, *lines, shape=(4, 6, 5), within=2e-5, **_constants())
    assert operations(module)[FUSED] == 0


def test_values_of_fewer_heads_stay(same: Same, operations: Operations) -> None:
    module = same("k = Cos(x)", _KEYS, "s = MatMul(x, t)", "p = Softmax<axis=-1>(s)",
                  "v = ReduceMean<keepdims=1>(x, axes)", "y = MatMul(p, v)", shape=(4, 6, 5),
                  axes=np.array([1]))  # fmt: skip
    assert operations(module)[FUSED] == 0
