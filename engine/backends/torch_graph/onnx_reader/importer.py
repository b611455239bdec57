"""Walking an ONNX graph: every node once, in its order, through the table of operators."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import torch

from smoothcert.engine.backends.torch_graph.onnx_reader.graph import GraphWriter
from smoothcert.engine.backends.torch_graph.onnx_reader.refusal import UnsupportedGraphError
from smoothcert.engine.backends.torch_graph.onnx_reader.site import Operator, Site
from smoothcert.engine.backends.torch_graph.onnx_reader.values import Value, tensor_of
from smoothcert.engine.base.errors import one_line

_QUANTISED = re.compile("[Qq]uantize|^QLinear|Integer$")


class Importer:
    """Brings an ONNX graph's nodes over, each by its operator's function in `operators`."""

    def __init__(self, writer: GraphWriter, operators: Mapping[str, Operator], opset: int) -> None:
        self._writer = writer
        self._operators = operators
        self._opset = opset
        self._missing: dict[str, str] = {}  # outputs that no value stands for, and whose they are

    def walk(self, graph: Any, outer: Mapping[str, Value]) -> list[Value]:
        """The values of a graph's outputs, given those of the names around it."""
        values = dict(outer)
        for tensor in graph.initializer:
            values[tensor.name] = self._initializer(tensor)
        if graph.sparse_initializer:
            name = graph.sparse_initializer[0].values.name
            raise UnsupportedGraphError(
                f"initializer {name!r} is sparse, which is not brought over"
            )
        for node in graph.node:
            self._bring_over(node, values)
        for output in graph.output:
            if output.name not in values:
                self._refuse_output(output.name)
        return [values[output.name] for output in graph.output]

    def _initializer(self, tensor: Any) -> torch.Tensor:
        try:
            return tensor_of(tensor)
        except Exception as error:
            raise UnsupportedGraphError(
                f"initializer {tensor.name!r} cannot be read: {one_line(error)}"
            ) from None

    def _refuse_output(self, name: str) -> NoReturn:
        missing = self._missing.get(name, "which no node makes")
        raise UnsupportedGraphError(f"output {name!r}, {missing}, is not brought over")

    def _bring_over(self, node: Any, values: dict[str, Value]) -> None:
        """Adds the node's outputs to the values; whatever goes wrong is a refusal of the node."""
        site = Site(self._writer, node, self._opset)
        try:
            inputs = [self._input(site, name, values) for name in node.input]
            if node.op_type == "If" and node.domain in ("", "ai.onnx"):
                outputs: Sequence[Value] = self._branch(site, values, *inputs)
            else:
                found = self._operator(site, node)(site, *inputs)
                outputs = [found] if isinstance(found, Value) else found
            site.refuse_unread()
        except UnsupportedGraphError:
            raise
        except Exception as error:  # torch's refusals of arguments, and malformed nodes
            site.refuse(f"{type(error).__name__}: {one_line(error)}")
        for name, value in zip(node.output, outputs, strict=False):
            values[name] = value
        for position, name in enumerate(node.output[len(outputs) :], len(outputs) + 1):
            values.pop(name, None)
            self._missing[name] = f"output {position} of {node.op_type}, node {site.name!r}"

    def _input(self, site: Site, name: str, values: dict[str, Value]) -> Value | None:
        if not name:
            return None
        if name not in values:
            missing = self._missing.get(name, "which nothing before it makes")
            site.refuse(f"input {name!r}, {missing}, is not brought over")
        return values[name]

    def _operator(self, site: Site, node: Any) -> Operator:
        if node.domain not in ("", "ai.onnx"):
            site.refuse(f"the domain {node.domain!r} is not brought over")
        if _QUANTISED.search(node.op_type):
            site.refuse("quantised networks are not brought over")
        if node.op_type not in self._operators:
            site.refuse("this operator is not brought over")
        return self._operators[node.op_type]

    def _branch(
        self, site: Site, values: dict[str, Value], condition: Value | None = None
    ) -> list[Value]:
        """The outputs of the branch that a known condition selects."""
        then, otherwise = site.attribute("then_branch"), site.attribute("else_branch")
        known = site.known(condition, "the condition")
        return self.walk(then if bool(known.reshape(())) else otherwise, values)
