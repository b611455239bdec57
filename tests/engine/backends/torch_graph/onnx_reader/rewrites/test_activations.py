from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
from onnx import TensorProto
from torch import fx

Same = Callable[..., fx.GraphModule]
Operations = Callable[[fx.GraphModule], Counter[str]]

_NUMBERS = {"root": np.float32(2**0.5), "inverse": np.float32(0.5**0.5), "half": np.float32(0.5),
            "two": np.float32(2), "one": np.float32(1), "near": np.float32(1.41)}  # fmt: skip


@pytest.mark.parametrize("inner", ["d = Div(x, root)", "d = Mul(inverse, x)"])
@pytest.mark.parametrize("one", ["s = Add(e, one)", "s = Add(one, e)"])
@pytest.mark.parametrize(
    "outer",
    [
        ["m = Mul(x, s)", "y = Mul(m, half)"],
        ["m = Mul(s, x)", "y = Div(m, two)"],
        ["m = Mul(half, s)", "y = Mul(x, m)"],
        ["m = Mul(x, half)", "y = Mul(m, s)"],
        ["m = Div(x, two)", "y = Mul(s, m)"],
    ],
)
def test_gelu_in_any_order(
    same: Same, operations: Operations, inner: str, one: str, outer: list[str]
) -> None:
    module = same(inner, "e = Erf(d)", one, *outer, **_NUMBERS)
    assert operations(module) == {"gelu": 1}


@pytest.mark.parametrize(
    "lines",
    [
        ["d = Div(x, near)", "e = Erf(d)", "s = Add(e, one)", "m = Mul(x, s)", "y = Mul(m, half)"],
        ["d = Div(x, root)", "e = Erf(d)", "s = Add(e, two)", "m = Mul(x, s)", "y = Mul(m, half)"],
        ["d = Div(x, root)", "e = Erf(d)", "s = Add(e, one)", "m = Mul(x, s)", "y = Mul(m, two)"],
        ["d = Div(x, root)", "e = Erf(d)", "s = Add(e, one)", "m = Mul(d, s)", "y = Mul(m, half)"],
        ["d = Div(x, root)", "e = Erf(d)", "s = Add(e, one)", "m = Mul(s, s)", "y = Mul(m, half)"],
        ["d = Div(x, root)", "e = Erf(d)", "s = Add(e, one)", "m = Mul(x, s)", "n = Mul(m, x)",
         "y = Mul(n, half)"],
        ["d = Div(x, root)", "e = Erf(d)", "s = Add(e, one)", "m = Mul(x, s)", "n = Mul(m, half)",
         "y = Add(n, s)"],
    ],
)  # fmt: skip
def test_what_is_no_gelu_stays(same: Same, operations: Operations, lines: list[str]) -> None:
    assert operations(same(*lines, **_NUMBERS))["gelu"] == 0


def test_gelu_of_halves(same: Same, operations: Operations) -> None:
    numbers = {name: value.astype(np.float16) for name, value in _NUMBERS.items()}
    module = same("d = Div(x, root)", "e = Erf(d)", "s = Add(e, one)", "m = Mul(x, s)",
                  "y = Mul(m, half)", within=2e-3, scalar=TensorProto.FLOAT16,
                  result=TensorProto.FLOAT16, **numbers)  # fmt: skip
    assert operations(module) == {"gelu": 1}


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(
    ("gate", "gated"), [("Sigmoid(x)", "silu"), ("HardSigmoid<alpha=0.16666667>(x)", "hardswish")]
)
def test_gates(same: Same, operations: Operations, gate: str, gated: str, turned: bool) -> None:
    product = "y = Mul(g, x)" if turned else "y = Mul(x, g)"
    assert operations(same(f"g = {gate}", product)) == {gated: 1}


@pytest.mark.parametrize(
    "lines",
    [
        ["g = Sigmoid(x)", "s = Sin(x)", "y = Mul(g, s)"],
        ["g = Sigmoid(x)", "m = Mul(g, x)", "y = Add(m, g)"],
        ["g = Sigmoid(x)", "y = Mul(g, g)"],
        ["g = HardSigmoid(x)", "y = Mul(x, g)"],
    ],
)
def test_what_is_no_gate_stays(same: Same, operations: Operations, lines: list[str]) -> None:
    found = operations(same(*lines))
    assert found["silu"] == found["hardswish"] == 0
