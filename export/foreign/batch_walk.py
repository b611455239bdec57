"""A graph whose batch is fixed, written anew for any: a walk that may turn back.

The walk of row_independence says of every tensor where the batch lies in it, for every size N. A
node that holds the fixed size may be read in several ways (where it is 1: which 1 is it?); they are
tried in turn, and the one is taken that the rest of the graph goes on from.
"""

from collections.abc import Iterator
from typing import Any

import onnx
import onnx.inliner
from onnx import NodeProto, helper

from smoothcert.engine.models.row_independence.hazards import names_read
from smoothcert.engine.models.row_independence.source import Source, ancestors, read
from smoothcert.engine.models.row_independence.values import Lost, Rows, Value
from smoothcert.engine.models.row_independence.verdict import Stop
from smoothcert.engine.models.row_independence.walk import Walk
from smoothcert.export.foreign.batch_readings import Reading, Readings
from smoothcert.export.foreign.needed_nodes import names_needed

_MOST_STEPS = 5_000
"""Readings that are followed before the best so far is taken."""


class NotOpenedError(Exception):
    """The batch cannot be opened; the message says why."""


def rewritten(model: Any, output: str, symbol: str) -> Any:
    """A copy of a model (onnx.ModelProto) in which the batch is `symbol`, and `output` is the only
    one; where a node cannot be followed, those after it are left as they are.

    Raises NotOpenedError for a model whose input is no batch of one fixed size.
    """
    opened = onnx.ModelProto()
    opened.CopyFrom(onnx.inliner.inline_local_functions(model) if model.functions else model)
    graph = opened.graph
    weights = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in weights]
    dims = inputs[0].type.tensor_type.shape.dim if inputs else []
    if len(inputs) != 1 or not dims or dims[0].dim_value < 1:
        raise NotOpenedError("it has no input with a batch of a fixed size")
    batch = dims[0].dim_value
    dims[0].dim_param = symbol
    try:
        source = read(opened, None, None)
    except Stop as stop:
        raise NotOpenedError(stop.reason) from None
    nodes = ancestors(source.graph, output)
    search = _Search(source, nodes, output, batch)
    found = search.run()
    del graph.node[:], graph.value_info[:]
    graph.node.extend(found)
    # A constant has taken the place of what some of them give.
    needed = ancestors(graph, output)
    del graph.node[:]
    graph.node.extend(needed)
    _keep_output(graph, output, symbol, search.shape)
    _drop_unread(graph, output)
    return opened


def _drop_unread(graph: Any, output: str) -> None:
    """Leave out constants that no node reads any more: runtimes complain of them."""
    names = names_needed(graph, output)
    unread = {tensor.name for tensor in graph.initializer if tensor.name not in names}
    for part in (graph.initializer, graph.input):
        for place in reversed([i for i, entry in enumerate(part) if entry.name in unread]):
            del part[place]


def _keep_output(graph: Any, output: str, symbol: str, shape: list[int | str] | None) -> None:
    (kept,) = [value for value in graph.output if value.name == output]
    if shape is not None:
        dims = [symbol, *shape[1:]]
        kept = helper.make_tensor_value_info(output, kept.type.tensor_type.elem_type, dims)
    elif kept.type.tensor_type.shape.dim:
        kept.type.tensor_type.shape.dim[0].dim_param = symbol
    copy = onnx.ValueInfoProto()
    copy.CopyFrom(kept)
    del graph.output[:]
    graph.output.append(copy)


class Follower(Walk):
    """The walk, one node at a time, and back."""

    def values(self, node: NodeProto) -> list[Value | None]:
        """What is known of a node's operands."""
        return [self._known.get(name) for name in node.input]

    def forget(self, nodes: Reading) -> None:
        """Follow them no longer."""
        for node in nodes:
            for name in node.output:
                self._known.pop(name, None)

    def value(self, name: str) -> Value | None:
        """What is known of a tensor."""
        return self._known.get(name)


class _Search:
    """The readings of all nodes, in depth: a dead end goes back to the last choice."""

    def __init__(self, source: Source, nodes: list[Any], output: str, batch: int) -> None:
        self._walk, self._nodes, self._output = Follower(source), nodes, output
        self._readings = Readings(batch, source.input, source.opsets[""])
        self._rank = _rank_of(source.graph, output)
        self._read = {output} | {name for node in nodes for name in node.input}
        self.shape: list[int | str] | None = None
        """Of the output, where it is known: its sides beside the batch."""

    def run(self) -> list[NodeProto]:
        """The nodes of the opened graph."""
        open_choices: list[Iterator[Reading]] = []
        taken: list[Reading] = []
        best: list[Reading] = []
        for _ in range(_MOST_STEPS):
            if len(taken) == len(self._nodes):
                if self._arrived():
                    return [node for reading in taken for node in reading]
                self._walk.forget(taken.pop())
            elif len(open_choices) == len(taken):
                open_choices.append(self._choices(self._nodes[len(taken)]))
            reading = self._next(open_choices[-1])
            if reading is not None:
                taken.append(reading)
                best = list(taken) if len(taken) > len(best) else best
                continue
            open_choices.pop()
            if not taken:
                break
            self._walk.forget(taken.pop())
        rest = self._nodes[len(best) :]
        self._check_whole(best, rest)
        return [*(node for reading in best for node in reading), *rest]

    def _check_whole(self, best: list[Reading], rest: list[NodeProto]) -> None:
        """Nodes that are left as they are would take another axis than in the file for theirs, of
        a tensor that lost its batch there."""
        made = {name for reading in best for name in reading[-1].output}
        short = made & self._readings.short
        read = {self._output, *(name for node in rest for name in names_read(node))}
        if read & short:
            raise NotOpenedError(
                "a Squeeze takes a batch of one row too, and what follows it cannot be followed"
            )

    def _choices(self, node: NodeProto) -> Iterator[Reading]:
        values = self._walk.values(node)
        self._walk.run([node])
        own = self._walk.value(node.output[0])
        self._walk.forget([node])
        return self._readings.of(node, values, own)

    def _next(self, choices: Iterator[Reading]) -> Reading | None:
        """The next reading that can be followed, which it then is."""
        for reading in choices:
            self._walk.run(reading)
            results = [name for name in reading[-1].output if name in self._read]
            if not any(isinstance(self._walk.value(name), Lost) for name in results):
                return reading
            self._walk.forget(reading)
        return None

    def _arrived(self) -> bool:
        if self._walk.verdict(self._output).verdict != "proven":
            return False
        value = self._walk.value(self._output)
        assert isinstance(value, Rows)
        if self._rank not in (None, len(value.shape)) or self._output in self._readings.short:
            return False
        self.shape = [0 if dim.open else int(dim) for dim in value.shape]
        return True


def _rank_of(graph: Any, output: str) -> int | None:
    """The rank that the file says its output has; None where it says none."""
    (value,) = [value for value in graph.output if value.name == output]
    tensor = value.type.tensor_type
    return len(tensor.shape.dim) if tensor.HasField("shape") else None
