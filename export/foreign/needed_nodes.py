"""What of a graph an output needs; the rest is left out."""

from collections.abc import Callable
from typing import Any

from smoothcert.engine.models.row_independence.hazards import names_read


def needed(graph: Any, output: str) -> list[Any]:
    """The nodes that an output is computed from, in the graph's order."""
    makers = {name: place for place, node in enumerate(graph.node) for name in node.output if name}
    found: set[int] = set()
    waiting = [output]
    while waiting:
        place = makers.get(waiting.pop())
        if place is not None and place not in found:
            found.add(place)
            waiting += names_read(graph.node[place])
    return [graph.node[place] for place in sorted(found)]


def names_needed(graph: Any, output: str) -> set[str]:
    """The tensors that an output is computed from, and itself."""
    return {output} | {name for node in needed(graph, output) for name in names_read(node)}


def keep_needed(graph: Any, output: str) -> None:
    """Drop the nodes and weights that the output does not need."""
    results = {name for node in needed(graph, output) for name in node.output if name}
    tensors = names_needed(graph, output)
    _keep(graph.node, lambda node: bool(results.intersection(node.output)))
    _keep(graph.initializer, lambda tensor: tensor.name in tensors)
    _keep(graph.sparse_initializer, lambda sparse: sparse.values.name in tensors)


def _keep(parts: Any, wanted: Callable[[Any], bool]) -> None:
    for place in reversed([place for place, part in enumerate(parts) if not wanted(part)]):
        del parts[place]
