"""Chance, training mode and scales of the whole batch: no operand excuses them."""

import numpy as np
import pytest
from row_graphs import Case, proven, refused, unproven

NORM = {name: np.ones(4) for name in ("s", "b", "m", "v")}
TAKEN = (
    "(c) <then_branch = t () => (float p) { p = RandomNormalLike(x) }, "
    "else_branch = e () => (float q) { q = Identity(x) }>"
)

CHANCE = [
    refused("RandomNormal", "r = RandomNormal<shape=[1,4]>() y = Add(x, r)"),
    refused("RandomNormalLike", "r = RandomNormalLike(x) y = Add(x, r)"),
    refused("RandomUniform", "r = RandomUniform<shape=[1,4]>() y = Add(x, r)"),
    refused("RandomUniformLike", "r = RandomUniformLike(x) y = Add(x, r)"),
    refused("RandomUniformLike", "r = RandomUniformLike(x) y = Add(x, r)", shape="1,4"),
    refused("RandomUniformLike", "r = RandomUniformLike(x) y = Add(x, r)", batch=1),
    refused("Bernoulli", "p = Sigmoid(x) y = Bernoulli(p)"),
    refused("Multinomial", "i = Multinomial<sample_size=4>(x) y = Cast<to=1>(i)"),
    # Noise on a constant, and behind what is not followed.
    refused("RandomNormalLike", "r = RandomNormalLike(c) y = Add(x, r)", c=np.ones(4)),
    refused("RandomNormalLike", "u = acme.Mystery(x) r = RandomNormalLike(u) y = Add(u, r)"),
    refused("If", f"r = If{TAKEN} y = Add(x, r)", c=np.array(True)),
    refused("If", f"r = If{TAKEN} y = Add(x, r)", c=np.array(False)),
    refused(
        "If",
        f"s = Size(x) c = Greater(s, three) r = If{TAKEN} y = Add(x, r)",
        shape="1,4",
        three=np.array(3),
    ),
    refused(
        "If",
        f"m = ReduceMax<keepdims=0>(x) c = Greater(m, zero_) r = If{TAKEN} y = Add(x, r)",
        shape="1,4",
        zero_=np.float32(0),
    ),
    refused(
        "Loop",
        "y = Loop(four, , x) <body = b (int64 i, bool c, float s) => (bool d, float t) "
        "{ d = Identity(c) r = RandomNormalLike(s) t = Add(s, r) }>",
    ),
    refused(
        "If",
        "y = If(true) <then_branch = t () => (float p) { p = Neg(x) }, "
        "else_branch = e () => (float q) { "
        "q = If(true) <then_branch = a () => (float r) { r = RandomNormalLike(x) }, "
        "else_branch = b () => (float s) { s = Neg(x) }> }>",
    ),
]
TRAINING = [
    refused(
        "BatchNormalization",
        "y, n, w = BatchNormalization<training_mode=1>(x, s, b, m, v)",
        opset=15,
        **NORM,
    ),
    refused("BatchNormalization", "y, n = BatchNormalization(x, s, b, m, v)", opset=9, **NORM),
    refused(
        "BatchNormalization",
        "u = acme.Mystery(x) y, n, w = BatchNormalization<training_mode=1>(u, s, b, m, v)",
        opset=15,
        **NORM,
    ),
    refused("Dropout", "y = Dropout(x, half, true)"),
    refused("Dropout", "y = Dropout(x, , true)"),
    refused("Dropout", "y = Dropout(x, half, true)", batch=1),
    refused("Dropout", "d = Dropout(c, half, true) y = Add(x, d)", c=np.ones((1, 4))),
]
DYNAMIC = [
    refused(
        "DynamicQuantizeLinear", "q, s, z = DynamicQuantizeLinear(x) y = DequantizeLinear(q, s, z)"
    ),
    refused(
        "DynamicQuantizeLinear",
        "q, s, z = DynamicQuantizeLinear(x) y = DequantizeLinear(q, s, z)",
        shape="6,4",
    ),
    refused(
        "DynamicQuantizeMatMul",
        "y = com.microsoft.DynamicQuantizeMatMul(x, w, s)",
        w=np.ones((4, 3), np.uint8),
        s=np.ones(1),
    ),
    refused(
        "DynamicQuantizeLSTM",
        "y = com.microsoft.DynamicQuantizeLSTM(x, w, w, , , , , s, z, s, z)",
        w=np.ones((4, 3), np.uint8),
        s=np.ones(1),
        z=np.zeros(1, np.uint8),
    ),
]
OTHERS = [
    unproven(
        "Dropout", "m = ReduceMax<keepdims=0>(x, i1) t = Greater(m, m) y = Dropout(x, half, t)"
    ),
    unproven("Dropout", "e = Exp(half) t = Less(e, half) y = Dropout(x, half, t)"),
    proven("y = Dropout(x, half, false)"),
    proven("y = Dropout(x, none, true)", none=np.float32(0)),
    proven("y = Dropout(x)"),
    proven("y = Dropout<ratio=0.5>(x)", opset=10),
    proven("r = RandomNormalLike(x) y = Relu(x)"),
    proven("y = BatchNormalization(x, s, b, m, v)", opset=9, **NORM),
    proven(
        "q, s, z = DynamicQuantizeLinear(c) w = DequantizeLinear(q, s, z) y = Add(x, w)",
        c=np.ones(4),
    ),
    # A row alone has nothing to be mixed with.
    proven("q, s, z = DynamicQuantizeLinear(x) y = DequantizeLinear(q, s, z)", batch=1),
    proven("q, s, z = DynamicQuantizeLinear(x) y = DequantizeLinear(q, s, z)", shape="1,4"),
    proven("m = ReduceMean(x) y = Sub(x, m)", batch=1),
    proven("m = ReduceMean(x) y = Sub(x, m)", shape="1,4"),
    proven(
        "m = ReduceMax<keepdims=0>(x) c = Greater(m, z) "
        "y = If(c) <then_branch = t () => (float p) { p = Neg(x) }, "
        "else_branch = e () => (float q) { q = Identity(x) }>",
        batch=1,
        z=np.float32(0),
    ),
    unproven("Mystery", "y = acme.Mystery(x)", batch=1),
    unproven("Mystery", "y = Mystery(x)", batch=1),
    unproven("MoE", "y = com.microsoft.MoE(x, x, x, x, x)", batch=1),
    unproven(
        "Loop",
        "y = Loop(four, , x) <body = b (int64 i, bool c, float s) => (bool d, float t) "
        "{ d = Identity(c) t = Neg(s) }>",
        batch=1,
    ),
    # Another domain's operator of such a name is none of ONNX's.
    unproven("RandomNormalLike", "r = acme.RandomNormalLike(x) y = Add(x, r)"),
    unproven("Dropout", "y = acme.Dropout(x, half, true)"),
    unproven("BatchNormalization", "y = acme.BatchNormalization<training_mode=1>(x)"),
    proven(
        "y = If(true) <then_branch = t () => (float p) { p = Neg(x) }, "
        "else_branch = e () => (float q) { q = acme.Bernoulli(x) }>",
        runs=False,
    ),
    proven("e = EyeLike(x) y = Add(x, e)", batch=1),
    unproven(
        "SequenceMap",
        "s = SequenceConstruct(x) m = SequenceMap<body = b (float c) => (float d) "
        "{ d = acme.Mystery(c) }>(s) y = SequenceAt(m, zero)",
        batch=1,
    ),
    proven("y = com.microsoft.Gelu(x)", batch=1),
    proven(
        "y = com.microsoft.DynamicQuantizeMatMul(x, w, s)",
        batch=1,
        w=np.ones((4, 3), np.uint8),
        s=np.ones(1),
    ),
    *[
        unproven(
            "Mystery",
            "m = ReduceMax<keepdims=0>(x) c = Greater(m, z) "
            f"y = If(c) <then_branch = t () => (float p) {{ p = {one}(x) }}, "
            f"else_branch = e () => (float q) {{ q = {two}(x) }}>",
            batch=1,
            z=np.float32(0),
        )
        for one, two in (("acme.Mystery", "Neg"), ("Neg", "acme.Mystery"))
    ],
]


@pytest.mark.parametrize("case", CHANCE + TRAINING + DYNAMIC + OTHERS, ids=str)
def test_verdict(case: Case) -> None:
    case.check()


@pytest.mark.parametrize(
    ("cases", "kind"),
    [(CHANCE, "chance"), (TRAINING, "training"), (DYNAMIC, "dynamic quantisation")],
)
def test_a_refusal_names_its_kind(cases: list[Case], kind: str) -> None:
    assert {case.proof().kind for case in cases} == {kind}
    assert {case.proof().kind for case in OTHERS} == {""}
    assert refused("", "m = ReduceMean(x) y = Sub(x, m)").proof().kind == "mixing"


def test_a_refusal_outweighs_what_is_not_followed() -> None:
    body = "u = acme.Mystery(x) m = ReduceMean<keepdims=0>(x) y = Add(u, m)"
    assert refused("ReduceMean", body).proof().operator == "ReduceMean"
