"""The walk itself: what is not followed, branches, and graphs that are not what they seem."""

import onnx
import onnx.parser
import pytest
from row_graphs import Case, proven, refused, unproven

from smoothcert.engine.models.row_independence.walk import analyse

BRANCHES = (
    "<then_branch = t () => (float p) { p = Neg(x) }, "
    "else_branch = e () => (float q) { m = ReduceMax(x) q = Add(x, m) }>"
)

CASES = [
    proven(f"y = If(true) {BRANCHES}"),
    refused("ReduceMax", f"y = If(false) {BRANCHES}"),
    unproven(
        "If",
        f"a = ReduceMax<keepdims=0>(x, i1) b = Greater(a, a) y = If(b) {BRANCHES}",
        shape="4,4",
    ),
    unproven(
        "Loop",
        "y = Loop(four, , x) <body = b (int64 i, bool c, float s) => (bool d, float t) "
        "{ d = Identity(c) m = ReduceMax(s) t = Add(s, m) }>",
    ),
    unproven(
        "Scan",
        "f, y = Scan<num_scan_inputs=1, "
        "body = b (float s, float r) => (float t, float o) { t = Add(s, r) "
        "o = Identity(t) }>(z, x)",
        z=[0.0] * 4,
    ),
    unproven("Mystery", "y = acme.Mystery(x)"),
    unproven("Mystery", "y = Mystery(x)"),
    unproven("EyeLike", "e = EyeLike(x) y = Add(x, e)"),
    unproven("Unique", "u = Unique(x) m = ReduceMax<keepdims=0>(u) y = Add(x, m)"),
    unproven(
        "Compress",
        "r = Compress<axis=0>(x, c) m = ReduceMax<keepdims=0>(r) y = Add(x, m)",
        c=[True],
    ),
    unproven(
        "ReverseSequence",
        "u = Unsqueeze(x, i1) v = ReverseSequence<time_axis=0,batch_axis=1>(u, i6) "
        "y = Squeeze(v, i1)",
        shape="6,4",
    ),
    unproven("DFT", "u = Unsqueeze(x, i2) v = DFT<axis=0>(u) y = ReduceMax<keepdims=0>(v, i2)"),
    # Written twice: a runtime may take either.
    unproven("Neg", "t = Relu(x) t = Neg(x) y = Identity(t)"),
    unproven("Relu", "x = Relu(x) y = Identity(x)"),
    unproven("Neg", "y = Neg(later) later = Relu(x)"),
    unproven("", "y = Identity(c)", c=[1.0]),
    unproven("", "z = Relu(x)"),
    proven("y = ai.onnx.Relu(x)", runs=False),
    refused("RandomNormalLike", "r = ai.onnx.RandomNormalLike(x) y = Add(x, r)"),
    refused(
        "ReduceMax",
        "m = ReduceMax(x) y = If(true) <then_branch = t () => (float p) { "
        "p = Add(x, m) }, else_branch = e () => (float q) { q = Neg(x) }>",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_verdict(case: Case) -> None:
    case.check()


def test_only_what_an_output_needs_counts() -> None:
    """Each output is asked about alone."""
    model = proven("y = Relu(x) m = ReduceMax<keepdims=1>(x) z = Add(x, m)").model()
    assert analyse(model).verdict == "proven"
    assert analyse(model, output="y").verdict == "proven"
    assert analyse(model, output="z").verdict == "refused"
    assert analyse(model, output="absent").verdict == "unproven"


def test_a_rule_that_cannot_read_its_node_proves_nothing() -> None:
    broken = unproven("Concat", "y = Concat(x, x)").proof()  # along which axis?
    assert (broken.verdict, broken.operator) == ("unproven", "Concat")
    assert "does not fit it" in broken.reason


def test_a_proof_names_its_node() -> None:
    model = refused("ReduceMax", "m = ReduceMax(x) y = Add(x, m)").model()
    assert analyse(model).describe() == "node 'm' (ReduceMax): takes one number of the whole batch"
    model.graph.node[0].name = "largest"
    assert analyse(model).node == "largest"


def test_it_leaves_the_model_as_it_was() -> None:
    model = proven("a = Relu(x) y = Neg(a)").model()
    before = model.SerializeToString(deterministic=True)
    analyse(model)
    assert model.SerializeToString(deterministic=True) == before


def test_names_of_a_branch_end_with_it() -> None:
    body = f"a = If(true) {BRANCHES} y = Add(a, p)"
    assert unproven("Add", body).proof().operator == "Add"


FUNCTION = """<ir_version: 8, opset_import: ["" : 18, "{domain}" : 1]>
agraph (float[N, 4] x) => (float y) {{ y = {call}(x) }}
<domain: "{domain}", opset_import: ["" : 18]> {name} (a) => (b) {{ {body} }}"""


@pytest.mark.parametrize(
    ("domain", "name", "body", "verdict"),
    [
        (
            "own",
            "Center",
            "i = Constant<value_ints=[1]>() m = ReduceMean(a, i) b = Sub(a, m)",
            "proven",
        ),
        ("own", "Center", "m = ReduceMean(a) b = Sub(a, m)", "refused"),
        ("own", "Noise", "r = RandomNormalLike(a) b = Add(a, r)", "refused"),
        # A runtime has kernels of these names, and may run them instead.
        ("com.microsoft", "Gelu", "b = Relu(a)", "unproven"),
        ("ai.onnx.ml", "Scaler", "b = Relu(a)", "unproven"),
    ],
)  # fmt: skip
def test_functions_of_the_model_are_inlined(
    domain: str, name: str, body: str, verdict: str
) -> None:
    text = FUNCTION.format(domain=domain, name=name, call=f"{domain}.{name}", body=body)
    assert analyse(onnx.parser.parse_model(text)).verdict == verdict


def test_a_function_may_not_pass_for_an_operator() -> None:
    model = proven("y = Relu(x)").model()
    body = [onnx.helper.make_node("Neg", ["a"], ["b"])]
    opsets = [onnx.helper.make_opsetid("", 18)]
    model.functions.append(onnx.helper.make_function("", "Relu", ["a"], ["b"], body, opsets))
    assert analyse(model).verdict == "unproven"
