"""The walk along the graph: from each node's operands to what is known of its results."""

from typing import Any

import onnx
from onnx import helper

from smoothcert.engine.base.errors import one_line
from smoothcert.engine.models.row_independence.call import Call
from smoothcert.engine.models.row_independence.folding.constants import fold, initial
from smoothcert.engine.models.row_independence.folding.counts import fold_counts, measured
from smoothcert.engine.models.row_independence.folding.positions import fold_positions
from smoothcert.engine.models.row_independence.folding.shapes import Inference
from smoothcert.engine.models.row_independence.hazards import DYNAMIC, inspect, subgraphs
from smoothcert.engine.models.row_independence.rules.table import RULES
from smoothcert.engine.models.row_independence.sizes import shape_of
from smoothcert.engine.models.row_independence.source import Source, ancestors, read
from smoothcert.engine.models.row_independence.values import (
    Constant,
    Lost,
    Positions,
    Rows,
    Value,
)
from smoothcert.engine.models.row_independence.verdict import Proof, Stop, unknown

# A constant repeated for each row: what a number that depends on N may do beside being one.
_SPREADING = ("ConstantOfShape", "Expand", "Tile")


def analyse(
    model: Any,
    shape: tuple[int, ...] | None = None,
    output: str | None = None,
    *,
    batch: int | None = None,
) -> Proof:
    """The verdict on an onnx.ModelProto, whose large tensors may lie elsewhere; proof.prove says
    what the others mean. Changes no more of the model than the spelling of ONNX's domain."""
    try:
        source = read(model, shape, batch)
        name = output or source.graph.output[0].name
        walk = Walk(source)
        walk.run(ancestors(source.graph, name))
    except Stop as stop:
        return Proof(stop.verdict, reason=stop.reason, kind=stop.kind)
    except Exception as error:
        return Proof("unproven", reason=f"the model cannot be read: {_said(error)}")
    return walk.verdict(name)


class Walk:
    """What is known of each tensor so far."""

    def __init__(self, source: Source) -> None:
        self._batch, self._opsets = source.batch, source.opsets
        self._infer = Inference(source.opsets, {})
        self._known: dict[str, Value] = {}
        self._add_initial(source.graph)
        self._known[source.input] = Rows(source.shape)

    def _add_initial(self, graph: Any) -> None:
        for tensor in graph.initializer:
            self._known[tensor.name] = initial(tensor)
            self._infer.types[tensor.name] = tensor.data_type
        for sparse in graph.sparse_initializer:
            self._known[sparse.values.name] = Constant(shape_of(sparse.dims))

    def verdict(self, output: str) -> Proof:
        """What is to be said of the model, once its nodes have been run."""
        value = self._known.get(output)
        if isinstance(value, Lost):
            return value.proof
        if not isinstance(value, Rows):
            told = "does not depend on the input" if value else "is not computed"
            return Proof("unproven", reason=f"output {output!r} {told}")
        if self._batch != 1 and value.layout != (0, 1, 1):
            return Proof(
                "unproven", reason=f"output {output!r} has its rows at another axis than 0"
            )
        return Proof("proven")

    def run(self, nodes: list[Any]) -> None:
        """Follow nodes in this order. A rule that does not hold, or fails, leaves Lost results."""
        for node in nodes:
            try:
                results = self._results(node)
            except Stop as stop:
                results = [_lost(node, stop.verdict, stop.reason, stop.kind)] * len(node.output)
            except Exception as error:
                reason = f"its rule does not fit it: {_said(error)}"
                results = [_lost(node, "unproven", reason)] * len(node.output)
            for index, name in enumerate(node.output):
                if name in self._known:
                    self._known[name] = _lost(node, "unproven", f"writes {name!r} a second time")
                elif name and index < len(results):
                    self._known[name] = results[index]
                elif name:
                    reason = f"its output {index} is not followed"
                    self._known[name] = _lost(node, "unproven", reason)

    def _results(self, node: Any) -> list[Value]:
        values: list[Value | None] = [
            (self._known.get(name) or _lost(node, "unproven", f"its operand {name!r} is unknown"))
            if name
            else None
            for name in node.input
        ]
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        opset = self._opsets[""]
        call = Call(node, node.op_type, values, attributes, opset, self._batch, self._infer)
        inspect(call)
        lost = [value for value in values if isinstance(value, Lost)]
        if lost:
            worst = min(lost, key=lambda value: value.proof.verdict != "refused")
            return [worst] * call.outputs
        return self._followed(call)

    def _followed(self, call: Call) -> list[Value]:
        rules = RULES.get(call.node.domain)
        if rules is None:
            unknown(f"an operator of {call.node.domain!r} is not followed")
        if call.operator == "If":
            return self._branch(call)
        if any(subgraphs(call.node)):
            unknown("a loop is not followed")
        if self._batch == 1:
            return self._alone(call)
        if call.operator in ("Shape", "Size"):
            (value,) = call.given
            return measured(call, value)
        kinds = {type(value) for value in call.given}
        if kinds <= {Constant}:
            return fold(call)
        if Positions in kinds:
            return fold_positions(call)
        if Rows not in kinds:
            found = fold_counts(call)
            if found is not None:
                return found
            if call.operator not in _SPREADING:
                unknown("a number that depends on the batch size is not followed through it")
        rule = rules.get(call.operator)
        if rule is None:
            unknown("an operator that is not followed")
        return rule(call)

    def _alone(self, call: Call) -> list[Value]:
        """One row to a run: nothing to mix, and an operator without chance is a function."""
        domain, operator = call.node.domain, call.operator
        known = onnx.defs.has(operator, self._opsets.get(domain, 1), domain)
        if not known and operator not in RULES[domain] and (domain, operator) not in DYNAMIC:
            unknown("an operator that is not followed")
        if any(isinstance(value, Rows) for value in call.given):
            return [Rows(())] * call.outputs
        if operator in ("Shape", "Size"):
            return measured(call, call.given[0])
        return fold(call)

    def _branch(self, call: Call) -> list[Value]:
        condition = call.value(0)
        if isinstance(condition, Constant) and condition.value is not None:
            side = "then_branch" if condition.value.any() else "else_branch"
            return self._within(call.attributes[side])
        if self._batch != 1:
            unknown("which branch it takes is not known beforehand")
        sides = [self._within(call.attributes[name]) for name in ("then_branch", "else_branch")]
        return [_either(*pair) for pair in zip(*sides, strict=True)]

    def _within(self, graph: Any) -> list[Value]:
        """The outputs of a subgraph, which sees the names around it."""
        around = dict(self._known)
        self._add_initial(graph)
        self.run(list(graph.node))
        results = [self._known[output.name] for output in graph.output]
        self._known = around
        return results


def _either(one: Value, two: Value) -> Value:
    """In a batch of one row: which of the two it is hangs on the row."""
    return one if isinstance(one, Lost) else two if isinstance(two, Lost) else Rows(())


def _lost(node: Any, verdict: Any, reason: str, kind: Any = "") -> Lost:
    name = node.name or next((output for output in node.output if output), node.op_type)
    return Lost(Proof(verdict, name, node.op_type, reason, kind))


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {one_line(error, 120)}"
