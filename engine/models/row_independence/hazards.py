"""What no operand can excuse: chance, training mode, and scales of the whole batch."""

from collections.abc import Iterator
from typing import Any

from onnx import AttributeProto

from smoothcert.engine.models.row_independence.call import Call
from smoothcert.engine.models.row_independence.rules.table import MICROSOFT
from smoothcert.engine.models.row_independence.values import Constant, Lost, Rows
from smoothcert.engine.models.row_independence.verdict import refuse, unknown

RANDOM = {
    "Bernoulli",
    "Multinomial",
    "RandomNormal",
    "RandomNormalLike",
    "RandomUniform",
    "RandomUniformLike",
}
DYNAMIC = {
    ("", "DynamicQuantizeLinear"),
    (MICROSOFT, "DynamicQuantizeLSTM"),
    (MICROSOFT, "DynamicQuantizeMatMul"),
}
_MODE_IS_INPUT = 12  # Dropout: since this opset it can drop
_MODE_IS_ATTRIBUTE = 14  # BatchNormalization: before, more outputs in use than one tell


def inspect(call: Call) -> None:
    """Stops at a node that is refused whatever is known of its operands; they may be Lost."""
    node, domain = call.node, call.node.domain
    if domain == "" and node.op_type in RANDOM:
        refuse("draws random numbers", "chance")
    for inner in inside(node):
        if inner.domain == "" and inner.op_type in RANDOM:
            refuse(f"holds {inner.op_type}, which draws random numbers", "chance")
    if domain == "" and node.op_type == "Dropout":
        _inspect_dropout(call)
    if call.batch == 1 or not isinstance(call.value(0), Rows | Lost):
        return
    if domain == "" and node.op_type == "BatchNormalization" and _in_training(call):
        reason = "is in training mode and normalises by the statistics of the whole batch"
        refuse(reason, "training")
    if (domain, node.op_type) in DYNAMIC:
        refuse("takes its scale from the whole batch", "dynamic quantisation")


def _in_training(call: Call) -> bool:
    if call.opset >= _MODE_IS_ATTRIBUTE:
        return bool(call.attributes.get("training_mode", 0))
    return any(call.node.output[1:])


def _inspect_dropout(call: Call) -> None:
    ratio, mode = call.value(1), call.value(2)
    if call.opset < _MODE_IS_INPUT or mode is None:
        return
    if not isinstance(mode, Constant) or mode.value is None:
        unknown("whether it is in training mode is not known beforehand")
    harmless = isinstance(ratio, Constant) and ratio.value is not None and not ratio.value.any()
    if mode.value.any() and not harmless:
        refuse("is in training mode and drops values at random", "training")


def inside(node: Any) -> Iterator[Any]:
    """The nodes of its subgraphs, and of theirs."""
    for graph in subgraphs(node):
        for inner in graph.node:
            yield inner
            yield from inside(inner)


def subgraphs(node: Any) -> Iterator[Any]:
    """The graphs that a node has as attributes: branches, bodies of loops."""
    for attribute in node.attribute:
        if attribute.type == AttributeProto.GRAPH:
            yield attribute.g
        elif attribute.type == AttributeProto.GRAPHS:
            yield from attribute.graphs


def names_read(node: Any) -> Iterator[str]:
    """The names that a node, and the nodes and outputs of its subgraphs, read."""
    yield from node.input
    for graph in subgraphs(node):
        for inner in graph.node:
            yield from names_read(inner)
        for output in graph.output:
            yield output.name
