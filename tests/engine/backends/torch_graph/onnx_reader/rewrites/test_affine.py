from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from onnx import TensorProto
from torch import fx, nn

Same = Callable[..., fx.GraphModule]
Operations = Callable[[fx.GraphModule], Counter[str]]


def _numbers(*shape: int, dtype: Any = np.float32) -> Any:
    return (np.random.default_rng(sum(shape)).random(shape) + 0.5).astype(dtype)


_CONSTANTS = {"w": _numbers(4, 3, 3, 3), "b": _numbers(4), "c": _numbers(4, 1, 1),
              "d": _numbers(1, 4, 1, 1), "one": np.float32(0.7)}  # fmt: skip


@pytest.mark.parametrize(
    "lines",
    [
        ["y = Mul(a, c)"],
        ["y = Add(d, a)"],
        ["y = Sub(a, c)"],
        ["y = Sub(c, a)"],
        ["y = Div(a, d)"],
        ["y = Add(a, one)"],
        ["h = Mul(c, a)", "i = Add(h, d)", "j = Div(i, c)", "y = Mul(one, j)"],
    ],
)
@pytest.mark.parametrize("bias", ["", ", b"])
def test_factors_and_terms_of_channels_are_taken_in(
    same: Same, operations: Operations, lines: list[str], bias: str
) -> None:
    module = same(f"a = Conv(x, w{bias})", *lines, **_CONSTANTS)
    assert operations(module) == {"Conv2d": 1}


@pytest.mark.parametrize(
    "lines",
    [
        ["y = Add(a, row)"],
        ["y = Mul(a, whole)"],
        ["y = Div(c, a)"],
        ["h = Sin(c2)", "y = Mul(a, h)"],
        ["h = Mul(a, c)", "y = Add(a, h)"],
        ["y = Mul(a, a)"],
    ],
)
def test_others_stay(same: Same, operations: Operations, lines: list[str]) -> None:
    weak = _CONSTANTS | {"w": _CONSTANTS["w"] / 50}  # no output is near zero, to be divided by
    module = same("a = Conv(x, w, b)", "c2 = ReduceMax<keepdims=1>(x)", *lines,
                  row=_numbers(6), whole=_numbers(3, 4, 6, 6), **weak)  # fmt: skip
    assert operations(module)["Conv2d"] < operations(module).total()


def test_a_folded_number_is_rounded_once(same: Same) -> None:
    weight, first, second = _numbers(4, 3, 1, 1), _numbers(4, 1, 1), _numbers(4, 1, 1)
    module = same("a = Conv(x, w)", "h = Mul(a, f)", "y = Mul(h, s)", w=weight, f=first, s=second)
    (layer,) = (layer for layer in module.modules() if isinstance(layer, nn.Conv2d))
    exact = weight.astype(float) * first.astype(float)[..., None] * second.astype(float)[..., None]
    assert torch.equal(layer.weight, torch.tensor(exact).float())


def test_a_shared_weight_is_not_changed_for_one_of_its_users(
    same: Same, operations: Operations
) -> None:
    module = same("a = Conv<pads=[1,1,1,1]>(x, w)", "h = Mul(a, c)", "i = Relu(h)",
                  "y = Conv(i, w)", w=_numbers(3, 3, 3, 3), c=_numbers(3, 1, 1))  # fmt: skip
    assert operations(module) == {"Conv2d": 2, "relu": 1}
    first, second = (layer for layer in module.modules() if isinstance(layer, nn.Conv2d))
    assert first.weight is not second.weight


def test_half_types_and_numbers_out_of_range_are_left_alone(
    same: Same, operations: Operations
) -> None:
    half = {"w": _numbers(4, 3, 3, 3, dtype=np.float16), "c": _numbers(4, 1, 1, dtype=np.float16)}
    module = same("a = Conv(x, w)", "y = Mul(a, c)", within=2e-3, scalar=TensorProto.FLOAT16,
                  result=TensorProto.FLOAT16, **half)  # fmt: skip
    assert operations(module) == {"Conv2d": 1, "mul": 1}
    module = same("a = Conv(x, w)", "h = Mul(a, tiny)", "y = Mul(h, huge)",
                  w=_numbers(4, 3, 3, 3) * np.float32(1e20), tiny=np.float32(1e-10),
                  huge=np.float32(1e20))  # fmt: skip
    assert operations(module)["Conv2d"] == 1
