"""One ONNX node while it is brought over: its attributes, and the calls that it becomes."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import torch

from smoothcert.engine.backends.torch_graph.onnx_reader.graph import GraphWriter
from smoothcert.engine.backends.torch_graph.onnx_reader.refusal import UnsupportedGraphError
from smoothcert.engine.backends.torch_graph.onnx_reader.values import Value, shape_of


class Site:
    """What an operator's function is given beside its inputs; call, module and transposed are
    GraphWriter's.

    An attribute that the function never asks for is one whose meaning it would lose: see
    refuse_unread.
    """

    def __init__(self, writer: GraphWriter, node: Any, opset: int) -> None:
        self.opset = opset
        self.operator: str = node.op_type
        self.outputs: tuple[str, ...] = tuple(node.output)
        self.name: str = node.name or next(iter(node.output), "")
        self.call, self.module = writer.call, writer.module
        self.transposed = writer.transposed
        self._node = node
        self._read: set[str] = set()

    @functools.cached_property
    def _attributes(self) -> dict[str, Any]:
        from onnx import helper

        return {entry.name: helper.get_attribute_value(entry) for entry in self._node.attribute}

    def refuse(self, reason: str) -> NoReturn:
        """Raise UnsupportedGraphError for this node."""
        node = self._node
        domain = "" if node.domain in ("", "ai.onnx") else f"{node.domain}."
        raise UnsupportedGraphError(
            f"{domain}{node.op_type} (opset {self.opset}), node {self.name!r}: {reason}"
        )

    def attribute(self, name: str, default: Any = None) -> Any:
        """An attribute as it is stored, texts decoded; the default where it is absent."""
        self._read.add(name)
        value = self._attributes.get(name, default)
        return value.decode() if isinstance(value, bytes) else value

    def ignore(self, *names: str) -> None:
        """These attributes change nothing about the outputs that are brought over."""
        self._read.update(names)

    def expect(self, name: str, *values: Any) -> None:
        """Refuse an attribute that is none of these values; the first is its default."""
        value = self.attribute(name, values[0])
        if value not in values:
            self.refuse(f"{name} is {value}: expected {' or '.join(map(str, values))}")

    def refuse_unread(self) -> None:
        """Refuse attributes that nobody asked for."""
        unread = sorted(self._attributes.keys() - self._read)
        if unread:
            self.refuse(f"attribute {', '.join(unread)} is not brought over")

    def known(self, value: Value | None, what: str) -> torch.Tensor:
        """The tensor of an input that must not depend on the images."""
        if not isinstance(value, torch.Tensor):
            self.refuse(f"{what} must be given and must not be computed from the images")
        return value

    def integers(self, value: Value | None, what: str) -> list[int]:
        """The numbers of such an input."""
        return [int(number) for number in self.known(value, what).reshape(-1).tolist()]

    def input_or_attribute(self, value: Value | None, name: str) -> list[int] | None:
        """Integers that are an input in newer opsets and an attribute in older ones."""
        given = self.attribute(name)
        if value is not None:
            return self.integers(value, name)
        return None if given is None else [int(number) for number in given]

    def axis(self, default: int, rank: int, name: str = "axis") -> int:
        """An axis attribute as 0 .. rank - 1."""
        return self.axes([self.attribute(name, default)], rank)[0]

    def axes(self, axes: Sequence[int], rank: int) -> list[int]:
        """Axes as 0 .. rank - 1; refused where one is outside or occurs twice."""
        wanted = [axis + rank if axis < 0 else axis for axis in axes]
        if any(not 0 <= axis < rank for axis in wanted) or len(set(wanted)) < len(wanted):
            self.refuse(f"axes {list(axes)} of {rank} dimensions")
        return wanted

    def reshape(self, x: Value, shape: Sequence[int]) -> Value:
        """x in another shape; x itself where it has it."""
        if shape_of(x) == tuple(shape):
            return x
        return self.call(torch.reshape, x, tuple(shape))

    def permute(self, x: Value, order: Sequence[int]) -> Value:
        """x with its axes in another order."""
        return self.call(torch.permute, x, tuple(order))


Operator = Callable[..., "Value | Sequence[Value]"]
"""operator(site, *inputs): the first outputs of a node; an absent input is None."""
