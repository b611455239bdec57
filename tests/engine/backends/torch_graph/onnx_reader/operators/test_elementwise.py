import operator
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from onnx import TensorProto
from torch import fx

from smoothcert.engine.backends.torch_graph.onnx_reader.reading import (
    UnsupportedGraphError,
    read_module,
)

Same = Callable[..., fx.GraphModule]

_OF_ALL_NUMBERS = [
    "Abs", "Ceil", "Cos", "Erf", "Exp", "Floor", "Identity", "Neg", "Relu", "Round",
    "Sigmoid", "Sign", "Sin", "Softplus", "Softsign", "Tanh",
]  # fmt: skip


@pytest.mark.parametrize("name", _OF_ALL_NUMBERS)
def test_functions_of_all_numbers(same: Same, name: str) -> None:
    same(f"y = {name}(x)", opset=13)


@pytest.mark.parametrize("name", ["Log", "Reciprocal", "Sqrt"])
def test_functions_of_positive_numbers(same: Same, name: str) -> None:
    same("a = Abs(x)", "b = Add(a, one)", f"y = {name}(b)", one=np.float32(0.1))


@pytest.mark.parametrize("name", ["Acos", "Asin", "Atan", "Cosh", "Sinh", "Tan"])
def test_functions_of_small_numbers(same: Same, name: str) -> None:
    same("a = Tanh(x)", f"y = {name}(a)")


@pytest.mark.parametrize(
    ("line", "opset"),
    [
        ("y = LeakyRelu<alpha=0.2>(x)", 16),
        ("y = LeakyRelu(x)", 9),
        ("y = Elu<alpha=0.7>(x)", 9),
        ("y = Celu<alpha=0.7>(x)", 12),
        ("y = Selu(x)", 9),
        ("y = ThresholdedRelu<alpha=0.3>(x)", 10),
        ("y = HardSigmoid(x)", 9),
        ("y = HardSigmoid<alpha=0.16666667>(x)", 9),
        ("y = HardSigmoid<alpha=0.3, beta=0.4>(x)", 22),
        ("y = HardSwish(x)", 14),
        ("y = Mish(x)", 18),
        ("y = Gelu(x)", 20),
        ('y = Gelu<approximate="tanh">(x)', 20),
        ("y = Clip<min=-0.5, max=0.25>(x)", 9),
        ("y = Clip<min=0.0>(x)", 6 + 3),
        ("y = Clip(x)", 11),
        ("y = Dropout<ratio=0.9>(x)", 9),
    ],
)
def test_activations(same: Same, line: str, opset: int) -> None:
    same(line, opset=opset)


@pytest.mark.parametrize("line", ["y = Swish(x)", "y = Swish<alpha=1.5>(x)"])
def test_swish(same: Same, line: str) -> None:
    same(line, opset=24, reference=True)


def test_other_constants_of_selu_are_refused(graph_file: Callable[..., Path]) -> None:
    with pytest.raises(UnsupportedGraphError, match=r"Selu \(opset 18\), node 'y': alpha 2\.0"):
        read_module(graph_file("y = Selu<alpha=2.0>(x)"), 1)


@pytest.mark.parametrize(
    ("low", "high"), [(0.0, None), (-0.5, 0.5), (None, 0.25), (0.0, 6.0), (0.5, -0.5)]
)
def test_bounds_are_inputs_since_opset_11(
    same: Same, low: float | None, high: float | None
) -> None:
    given = {"low": low, "high": high}
    names = [name if value is not None else "" for name, value in given.items()]
    bounds = {name: np.float32(value) for name, value in given.items() if value is not None}
    module = same(f"y = Clip(x, {names[0]}, {names[1]})".replace(", )", ")"), opset=11, **bounds)
    relus = [node for node in module.graph.nodes if node.target is torch.relu]
    assert len(relus) == (low == 0 and high is None)


def test_computed_bounds_are_refused(graph_file: Callable[..., Path]) -> None:
    path = graph_file("a = ReduceMax(x)", "y = Clip(x, a)")
    with pytest.raises(UnsupportedGraphError, match=r"Clip .*min must be given and must not"):
        read_module(path, 1)


@pytest.mark.parametrize("name", ["Add", "Sub", "Mul", "Div", "Max", "Min", "Sum", "Mean"])
@pytest.mark.parametrize("shape", [(), (1,), (3, 1, 1), (1, 3, 1, 8), (8,), (2, 1, 1, 1, 1)])
@pytest.mark.parametrize("turned", [False, True])
def test_constants_are_broadcast(
    same: Same, name: str, shape: tuple[int, ...], turned: bool
) -> None:
    constant = np.asarray(np.random.default_rng(0).random(shape) + 0.5, np.float32)
    if turned and name == "Div":  # zeros of x would decide alone
        same("a = Exp(x)", "y = Div(c, a)", c=constant)
    else:
        same(f"y = {name}(c, x)" if turned else f"y = {name}(x, c)", c=constant)


@pytest.mark.parametrize("name", ["Add", "Sub", "Mul", "Max", "Min", "PRelu"])
def test_computed_operands(same: Same, name: str) -> None:
    same("a = Sin(x)", f"y = {name}(x, a)")


def test_more_than_two_operands(same: Same) -> None:
    constant = np.linspace(-1, 1, 8, dtype=np.float32)
    same("a = Sin(x)", "b = Max(x, a, c)", "d = Min(x, b, a)", "e = Sum(a, b, c, d)",
         "y = Mean(e, a, b)", c=constant)  # fmt: skip


def test_only_additions_of_equal_computed_tensors_are_operator_add(same: Same) -> None:
    module = same(
        "a = Sin(x)", "b = Add(a, x)", "c = ReduceMean<keepdims=1>(x)", "d = Add(b, c)",
        "e = Add(d, number)", "f = Add(whole, e)", "y = Add(f, f)",
        number=np.float32(0.5), whole=np.ones((3, 3, 8, 8), np.float32),
    )  # fmt: skip
    added = [node for node in module.graph.nodes if node.target is operator.add]
    assert [len(node.all_input_nodes) for node in added] == [2, 1]


@pytest.mark.parametrize("shape", [(3, 1, 1), (1,), (8,)])
def test_slopes_of_a_parametric_relu(same: Same, shape: tuple[int, ...]) -> None:
    same("y = PRelu(x, slope)", slope=np.random.default_rng(1).random(shape).astype(np.float32))


def test_powers(same: Same) -> None:
    each = np.linspace(0, 1, 8, dtype=np.float32)
    same("a = Abs(x)", "b = Pow(a, whole)", "c = Pow(a, half)", "d = Pow(b, each)", "y = Add(c, d)",
         whole=np.int64(3), half=np.float32(0.5), each=each)  # fmt: skip


@pytest.mark.parametrize("name", ["Equal", "Greater", "Less", "GreaterOrEqual", "LessOrEqual"])
def test_comparisons_choose(same: Same, name: str) -> None:
    same("a = Relu(x)", f"b = {name}(a, x)", f"c = {name}(a, zero)", "d = Not(c)", "e = And(b, d)",
         "f = Xor(e, c)", "g = Or(f, e)", "h = Where(g, x, minus)", "y = Where(b, one, h)",
         zero=np.float32(0), minus=np.float32(-2), one=np.ones(8, np.float32))  # fmt: skip


def test_integers_are_divided_towards_zero_and_keep_a_remainder_by_their_kind(same: Same) -> None:
    same("a = Mul(x, ten)", "b = Cast<to=7>(a)", "c = Div(b, three)", "d = Mod(b, three)",
         "e = Mod<fmod=1>(b, three)", "f = Mul(c, hundred)", "g = Add(f, d)", "h = Mul(g, hundred)",
         "i = Add(h, e)", "y = Cast<to=1>(i)",
         ten=np.float32(10), three=np.int64(-3), hundred=np.int64(100))  # fmt: skip


def test_float_remainders_have_the_sign_of_the_dividend(same: Same) -> None:
    same("y = Mod<fmod=1>(x, c)", c=np.float32(0.3))


def test_halves_stay_halves(same: Same) -> None:
    module = same(
        "a = Mul(x, c)", "b = Sigmoid(a)", "d = Add(a, b)", "y = Sqrt(b)", c=np.float16(0.3),
        within=1e-3, scalar=TensorProto.FLOAT16, result=TensorProto.FLOAT16,
    )  # fmt: skip
    assert {node.meta["val"].dtype for node in module.graph.nodes if "val" in node.meta} == {
        torch.float16
    }


def test_casts_are_tensor_to(same: Same) -> None:
    module = same("a = Cast<to=10>(x)", "b = Mul(a, a)", "c = Cast<to=1>(b)", "d = CastLike(c, x)",
                  "y = Cast<to=1>(d)", within=1e-3)  # fmt: skip
    casts = [node.args[1] for node in module.graph.nodes if node.target is torch.Tensor.to]
    assert casts == [torch.float16, torch.float32]


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (["a = Cast<to=10>(x)", "y = Add(a, x)"], r"Add .*'y': operands of .*float16 and"),
        (["y = Cast<to=17>(x)"], r"Cast .*element type 17 is not brought over"),
        (["y = Mod(x, x)"], r"Mod .*floats without fmod"),
        (["a = Cast<to=7>(x)", "b = Pow(a, x)", "y = Cast<to=1>(b)"], r"Pow .*a base of .*int64"),
        (
            ["y, mask = Dropout(x)", "z = Not(mask)"],
            r"Not .*input 'mask', output 2 of Dropout, node 'y', is not",
        ),
        (["y = Dropout(x, ratio, train)"], r"Dropout .*training mode"),
        (["y = Elu<alpha=1.0, beta=2.0>(x)"], r"Elu .*attribute beta is not brought over"),
    ],
)
def test_refusals(graph_file: Callable[..., Path], lines: list[str], reason: str) -> None:
    path = graph_file(*lines, ratio=np.float32(0.5), train=np.array(True))
    with pytest.raises(UnsupportedGraphError, match=reason):
        read_module(path, 1)
