"""What a graph makes of the size of its batch, where that is more than the shapes of tensors."""

from typing import Any

from smoothcert.engine.models.row_independence.hazards import inside, names_read
from smoothcert.engine.models.row_independence.source import ancestors, read
from smoothcert.engine.models.row_independence.values import Counts, Lost, Positions
from smoothcert.export.foreign.batch_walk import Follower

_MEASURES = ("Shape", "Size")
_SHAPES = {
    "ConstantOfShape": (0,),
    "Expand": (1,),
    "Reshape": (1,),
    "Resize": (3,),
    "Slice": (1, 2, 3, 4),
    "Tile": (1,),
}
"""Operands that say no more than how long a result is."""


def size_use(opened: Any, output: str) -> str:
    """A node that may compute something else in a batch of another size, since it is given that
    size as a number; empty where there is none.

    opened  an onnx.ModelProto with an open batch, which a walk follows in part
    A comparison of a few batch sizes shows nothing of a branch that is taken from 100 rows on.
    """
    source = read(opened, None, None)
    nodes = ancestors(source.graph, output)
    walk = Follower(source)
    walk.run(nodes)
    for node in nodes:
        within = list(inside(node))
        if not within and not isinstance(walk.value(node.output[0]), Lost):
            continue
        shapes = {node.input[i] for i in _SHAPES.get(node.op_type, ()) if i < len(node.input)}
        numbers = {
            name
            for name in names_read(node)
            if name not in shapes and isinstance(walk.value(name), Counts | Positions)
        }
        if numbers or any(one.op_type in _MEASURES for one in (node, *within)):
            name = node.name or node.output[0]
            return f"node {name!r} ({node.op_type}) may make another function of its size"
    return ""
