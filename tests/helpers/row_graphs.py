"""Graphs to ask about row independence, as text; and what ONNX Runtime says of their rows."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnx.parser
import onnxruntime
from onnx import numpy_helper

from smoothcert.engine.models.row_independence.verdict import Proof
from smoothcert.engine.models.row_independence.walk import analyse

Rows = npt.NDArray[Any]

_ROUNDING = 1e-4
_LEAST = 1e-2  # an output that small may be rounding alone
# Constants that graphs need, by name: i2 is [2], the others have no axis or speak for themselves.
_COMMON = {
    **{f"i{number}": np.array([number]) for number in range(9)},
    "last": np.array([-1]),
    "end": np.array([2**63 - 1]),
    "zero": np.array(0),
    "one": np.array(1),
    "four": np.array(4),
    "half": np.float32(0.5),
    "true": np.array(True),
    "false": np.array(False),
}


@dataclass(frozen=True)
class Case:
    """A model x -> y, and what must be said of it.

    body      its nodes in ONNX's text syntax; constants are those of `weights` and of _COMMON
    operator  of the node that decides
    shape     of x, a number first where the batch is fixed
    batch     the question's, where it has one
    """

    verdict: str
    operator: str
    body: str
    shape: str = "N,4"
    opset: int = 18
    kind: str = "float"
    batch: int | None = None
    runs: bool = True
    weights: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.verdict}: {self.body} of {self.shape}"

    def model(self) -> onnx.ModelProto:
        """The model; weights of float64 become float32."""
        text = f"g ({self.kind}[{self.shape}] x) => (float y) {{ {self.body} }}"
        graph = onnx.parser.parse_graph(text)
        for name, value in {**_COMMON, **self.weights}.items():
            array = np.asarray(value)
            array = array.astype(np.float32) if array.dtype == np.float64 else array
            graph.initializer.append(numpy_helper.from_array(array, name))
        opsets = [onnx.helper.make_opsetid("", self.opset)]
        opsets += [onnx.helper.make_opsetid(name, 1) for name in ("com.microsoft", "acme")]
        return onnx.helper.make_model(graph, opset_imports=opsets, ir_version=8)

    def proof(self) -> Proof:
        """What is found."""
        return analyse(self.model(), batch=self.batch)

    def check(self) -> None:
        """The verdict is as it must be; and where it is "proven", ONNX Runtime agrees."""
        proof = self.proof()
        assert (proof.verdict, proof.operator) == (self.verdict, self.operator), proof.describe()
        assert "does not fit it" not in proof.reason
        if self.verdict == "proven" and self.runs:
            batch, *rows = self.shape.split(",")
            fixed = int(batch) if batch.isdigit() else None
            shape = [int(side) for side in rows]
            assert deviation(self.model(), "y", shape, fixed or self.batch, seed=0) < _ROUNDING


def proven(body: str, **options: Any) -> Case:
    """A graph whose rows are functions of themselves. `options`: fields of Case, and weights."""
    return _case("proven", "", body, options)


def refused(operator: str, body: str, **options: Any) -> Case:
    """A graph that combines rows, in the node of this operator."""
    return _case("refused", operator, body, options)


def unproven(operator: str, body: str, **options: Any) -> Case:
    """A graph of which nothing can be said, for the node of this operator."""
    return _case("unproven", operator, body, options)


def _case(verdict: str, operator: str, body: str, options: dict[str, Any]) -> Case:
    named = {name: options.pop(name) for name in Case.__annotations__ if name in options}
    return Case(verdict, operator, " ".join(body.split()), **named, weights=options)


def meddled(operator: str, body: str, **options: Any) -> list[Case]:
    """A case for each operand marked with $, which must be a constant: it is computed from x."""
    marked = re.compile(r"\$(\w+)")
    places = [found.span() for found in marked.finditer(body)]
    return [
        unproven(
            operator,
            "meddled = ReduceMax<keepdims=0>(x, i1) "
            + marked.sub(r"\1", f"{body[:start]}meddled{body[end:]}"),
            **options,
        )
        for start, end in places
    ]


def random(*shape: int) -> npt.NDArray[np.float64]:
    """Weights."""
    return np.random.default_rng(sum(shape)).normal(size=shape)


def deviation(
    model: onnx.ModelProto, output: str, shape: Sequence[int], batch: int | None, seed: int
) -> float:
    """The largest change of a row of the output, relative to its largest entry, in other places,
    other company and other batch sizes, as ONNX Runtime runs it; inf where shapes differ.

    batch  where it is fixed: no other size is tried
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    kind = np.uint8 if session.get_inputs()[0].type == "tensor(uint8)" else np.float32

    def run(rows: Rows) -> Rows:
        return np.asarray(session.run([output], {"x": rows.astype(kind)})[0], np.float64)

    rng, size = np.random.default_rng(seed), batch or 4
    rows = rng.normal(size=(size, *shape))
    first, order = run(rows), rng.permutation(size)
    if first.ndim == 0 or len(first) != size:
        return np.inf
    pairs = [(run(rows[order]), first[order])]
    for scale in (1, 30):
        company = scale * rng.normal(size=rows.shape)
        kept, place = rng.integers(size, size=2)
        company[place] = rows[kept]
        pairs.append((run(company)[place], first[kept]))
    if batch is None:
        pairs += [
            (run(rows[-1:]), first[-1:]),
            (run(np.tile(rows, (2, *[1] * len(shape))))[size:], first),
        ]
    if any(one.shape != two.shape for one, two in pairs):
        return np.inf
    largest = np.abs(first).max(initial=_LEAST)
    return max(float(np.abs(one - two).max(initial=0) / largest) for one, two in pairs)
