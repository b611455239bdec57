"""A Squeeze of all sides of 1 takes a batch of one row too: what may stand between it and the node
that gives the batch back, once the batch is open.

What such a tensor has in the file is one side shorter than in the opened graph, where the batch
comes first. So an axis that is counted from the front is another, as is what a first side means:
only nodes that know neither are followed.
"""

from collections.abc import Sequence

from onnx import NodeProto

from smoothcert.engine.models.row_independence.values import Constant, Rows, Value

_ENTRY_BY_ENTRY = frozenset(
    [
        "Abs",
        "Cast",
        "Clip",
        "Elu",
        "Erf",
        "Exp",
        "Gelu",
        "HardSigmoid",
        "HardSwish",
        "Identity",
        "LeakyRelu",
        "Log",
        "Neg",
        "Relu",
        "Selu",
        "Sigmoid",
        "Softplus",
        "Sqrt",
        "Tanh",
    ]
)
_OF_TWO = frozenset(["Add", "Div", "Max", "Min", "Mul", "Pow", "Sub"])
_SINCE_LAST_AXIS = 13  # Softmax: over one axis, and by default the last


def stays_short(
    node: NodeProto, values: Sequence[Value | None], short: set[str], opset: int
) -> bool:
    """Whether `node` computes, of operands without their batch of one row, what it computes of each
    row of a batch; its result is then without the batch too.

    values  of its operands where the batch is open
    short   the names of those tensors that the file has without the batch
    """
    first, *others = values
    if not isinstance(first, Rows) or first.axis or node.input[0] not in short:
        return False
    if node.op_type in _ENTRY_BY_ENTRY:
        return short.isdisjoint(node.input[1:])
    if node.op_type in ("Softmax", "LogSoftmax"):
        axis = next((a.i for a in node.attribute if a.name == "axis"), None)
        return axis == -1 or (axis is None and opset >= _SINCE_LAST_AXIS)
    rank = len(first.shape)
    if node.op_type == "MatMul":
        return isinstance(others[0], Constant) and len(others[0].shape) == 2 and rank > 1
    return node.op_type in _OF_TWO and all(
        len(value.shape) == rank and value.axis == 0 and name in short
        if isinstance(value, Rows)
        else isinstance(value, Constant) and len(value.shape) < rank
        for name, value in zip(node.input[1:], others, strict=True)
    )
