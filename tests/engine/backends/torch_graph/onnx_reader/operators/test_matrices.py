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


def _numbers(*shape: int, dtype: Any = np.float32) -> Any:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(dtype)


def _linear(module: fx.GraphModule) -> list[nn.Linear]:
    return [layer for layer in module.modules() if isinstance(layer, nn.Linear)]


@pytest.mark.parametrize("down", [0, 1])
@pytest.mark.parametrize("bias", [None, (5,), (1, 5), (1,), (), (1, 1), (3, 5), (3, 1)])
@pytest.mark.parametrize("factors", ["", ", alpha=0.5, beta=2.0"])
def test_a_known_matrix_is_a_linear_layer(
    same: Same, down: int, bias: tuple[int, ...] | None, factors: str
) -> None:
    given = {} if bias is None else {"c": _numbers(*bias)}
    inputs = ", ".join(["x", "w", *given])
    line = f"y = Gemm<transB={down}{factors}>({inputs})"
    weight = _numbers(5, 7) if down else _numbers(7, 5)
    module = same(line, shape=(7,), opset=11, w=weight, **given)
    (layer,) = _linear(module)
    assert (layer.bias is not None) == (bias is not None and 3 not in bias and not factors)


def test_computed_matrices(same: Same) -> None:
    same("a = Transpose(x)", "y = Gemm<transA=1, alpha=0.5>(a, a)", shape=(3,), batch=3)
    same("a = Sin(x)", "y = Gemm<transB=1, beta=0.5>(x, a, b)", shape=(4,), b=_numbers(3, 1))
    same("a = Transpose<perm=[0,1,3,2]>(x)", "y = MatMul(x, a)")
    same("y = MatMul(c, x)", c=_numbers(5, 8))
    same("y = MatMul(x, c)", c=_numbers(3, 8, 5))
    same("y = Gemm<transB=1>(c, x)", shape=(4,), c=_numbers(2, 4))


@pytest.mark.parametrize("shape", [(7,), (4, 7), (2, 4, 7)])
def test_a_product_with_a_known_matrix_takes_in_a_vector(
    same: Same, shape: tuple[int, ...]
) -> None:
    for lines in (["a = MatMul(x, w)", "y = Add(a, b)"], ["a = MatMul(x, w)", "y = Add(b, a)"]):
        module = same(*lines, shape=shape, w=_numbers(7, 5), b=_numbers(5))
        (layer,) = _linear(module)
        assert layer.bias is not None
        assert len(module.graph.nodes) == 3


def test_products_of_one_matrix_share_it(same: Same) -> None:
    module = same("a = MatMul(x, w)", "b = Relu(a)", "y = MatMul(b, w)", w=_numbers(8, 8))
    first, second = _linear(module)
    assert first.weight is second.weight


def test_halves_stay_halves(same: Same) -> None:
    module = same("y = Gemm(x, w, b)", shape=(7,), within=3e-3, scalar=TensorProto.FLOAT16,
                  result=TensorProto.FLOAT16, w=_numbers(7, 5, dtype=np.float16),
                  b=_numbers(5, dtype=np.float16))  # fmt: skip
    assert {parameter.dtype.itemsize for parameter in module.parameters()} == {2}


@pytest.mark.parametrize("equation", ["nchw,cd->ndhw", "nchw, cd -> nh", "...w,cd->...cw"])
def test_sums_of_products_by_letters(same: Same, equation: str) -> None:
    same(f'y = Einsum<equation="{equation}">(x, w)', w=_numbers(3, 3), within=2e-5)


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (["a = Cast<to=6>(x)", "y = MatMul(a, a)"], "matrices of torch.int32"),
        (["y = MatMul(x, wrong)"], r"\(2, 8\) times a matrix of 5 rows"),
        (["y = Gemm(x, half)"], "matrices of torch.float32 and torch.float16"),
    ],
)
def test_refusals(graph_file: Callable[..., Path], lines: list[str], reason: str) -> None:
    path = graph_file(*lines, shape=(8,), wrong=_numbers(5, 8), half=_numbers(8, 8).astype("<f2"))
    with pytest.raises(UnsupportedGraphError, match=rf"\(opset 18\), node 'y': {reason}"):
        read_module(path, 2)
