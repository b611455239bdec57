"""What the rewrites ask of a graph's nodes."""

import operator
from collections.abc import Callable
from typing import Any, TypeGuard

import torch
from torch import fx
from torch.fx.node import map_arg

from smoothcert.engine.backends.torch_graph.onnx_reader.graph import GraphWriter
from smoothcert.engine.backends.torch_graph.onnx_reader.values import tensor_like


def is_call(node: object, *functions: object) -> TypeGuard[fx.Node]:
    """Whether it is a node that calls one of these functions."""
    return isinstance(node, fx.Node) and node.op == "call_function" and node.target in functions


def only_user(node: fx.Node) -> fx.Node | None:
    """The one node that uses it, where no other does."""
    return next(iter(node.users)) if len(node.users) == 1 else None


def other_operand(node: fx.Node, operand: object) -> Any:
    """Of a call with two operands, the one that is not this one."""
    first, second = node.args[:2]
    return second if first is operand else first


def factor_of(node: object) -> tuple[Any, float] | None:
    """(x, number) of a node that is x times a number."""
    if is_call(node, operator.mul):
        first, second = node.args
        if isinstance(second, float) and isinstance(first, fx.Node):
            return first, second
        if isinstance(first, float) and isinstance(second, fx.Node):
            return second, first
    if is_call(node, operator.truediv):
        first, second = node.args
        if isinstance(second, float) and second != 0.0 and isinstance(first, fx.Node):
            return first, 1.0 / second
    return None


def constant_of(writer: GraphWriter, node: object) -> torch.Tensor | None:
    """The tensor of a node that is a buffer."""
    if isinstance(node, fx.Node) and node.op == "get_attr":
        return writer.root.get_buffer(str(node.target))
    return None


def call_before(
    writer: GraphWriter, place: fx.Node, function: Callable[..., Any], *args: Any, **kwargs: Any
) -> fx.Node:
    """A new call, placed before a node that comes after all of the arguments."""
    meta_args, meta_kwargs = map_arg((args, kwargs), tensor_like)
    with writer.graph.inserting_before(place):
        node = writer.graph.call_function(function, args, kwargs)
    node.meta["val"] = function(*meta_args, **meta_kwargs)
    return node


def replace(writer: GraphWriter, old: fx.Node, new: fx.Node) -> None:
    """Lets everyone use the new node; what only the old one needed is pruned later."""
    old.replace_all_uses_with(new)
    writer.graph.erase_node(old)
