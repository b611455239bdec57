"""The names of a graph's tensors and nodes, those of the graphs in it included."""

from collections.abc import Callable
from typing import Any

from smoothcert.engine.models.row_independence.hazards import subgraphs


class TensorNames:
    """The names of a graph's tensors, those of subgraphs included."""

    def __init__(self, graph: Any) -> None:
        self._graph = graph
        self._taken: set[str] = set()
        self._now: dict[str, str] = {}
        rename_tensors(graph, self._known)

    def _known(self, name: str) -> str:
        self._taken.add(name)
        return name

    def fresh(self, name: str) -> str:
        """A name that nothing has, like this one."""
        number, found = 0, name
        while found in self._taken:
            number += 1
            found = f"{name}_{number}"
        self._taken.add(found)
        return found

    def rename(self, old: str, new: str) -> None:
        """Give one tensor another name."""
        rename_tensors(self._graph, lambda name: new if name == old else name)
        self._taken.add(new)
        self._now[next((own for own, name in self._now.items() if name == old), old)] = new

    def free(self, wanted: str) -> None:
        """Give whatever tensor is called so another name."""
        if wanted in self._taken:
            self.rename(wanted, self.fresh(f"{wanted}_given"))

    def now(self, own: str) -> str:
        """What a tensor of the given graph is called now."""
        return self._now.get(own, own)


def rename_tensors(graph: Any, other: Callable[[str], str]) -> None:
    """Give the tensors of a graph, and of the graphs in it, their other names."""
    for node in graph.node:
        for names in (node.input, node.output):
            for place, name in enumerate(names):
                if name and other(name) != name:
                    names[place] = other(name)
        for inner in subgraphs(node):
            rename_tensors(inner, other)
    for named in (*graph.initializer, *graph.input, *graph.output, *graph.value_info):
        if other(named.name) != named.name:
            named.name = other(named.name)
    for sparse in graph.sparse_initializer:
        sparse.values.name = other(sparse.values.name)


def name_nodes(graph: Any) -> None:
    """Give every node a name of its own, as tools that choose among them expect: what a refusal
    would call it, its own or its first result's."""
    seen: set[str] = set()
    for node in graph.node:
        first = next((output for output in node.output if output), node.op_type)
        if not node.name or node.name in seen:
            node.name = first
        seen.add(node.name)
