"""softmax(Q K^T scale + mask) V as one call."""

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import fx

from smoothcert.engine.backends.torch_graph.onnx_reader.graph import GraphWriter
from smoothcert.engine.backends.torch_graph.onnx_reader.operators.attention import checked_mask
from smoothcert.engine.backends.torch_graph.onnx_reader.rewrites.patterns import (
    call_before,
    constant_of,
    factor_of,
    is_call,
    only_user,
    replace,
)
from smoothcert.engine.backends.torch_graph.onnx_reader.values import shape_of

_MOST_MATRICES = 65535
"""How many matrices a fused kernel takes along one axis: a limit of CUDA's grids."""


@dataclass(frozen=True)
class _Keys:
    """Keys [..., length, size]: a node, its axes in this order, times the factor."""

    node: fx.Node
    order: tuple[int, ...]
    factor: float

    @property
    def shape(self) -> tuple[int, ...]:
        shape = shape_of(self.node)
        return tuple(shape[axis] for axis in self.order)


@dataclass(frozen=True)
class _Attention:
    """The parts of an attention whose product with the values is `result`."""

    result: fx.Node
    query: fx.Node
    keys: _Keys
    value: fx.Node
    scale: float
    mask: fx.Node | None


def join_attention(writer: GraphWriter) -> None:
    """Each softmax of scores with the products before and after it, where nothing else uses them.

    The scale may stand at the queries, at the keys, or after their product; the mask is a constant.
    """
    for node in list(writer.graph.nodes):
        if is_call(node, F.softmax):
            found = _attention_at(writer, node)
            if found is not None:
                _join(writer, found)


def _attention_at(writer: GraphWriter, softmax: fx.Node) -> _Attention | None:
    """The attention around a softmax, if it is exactly that."""
    rank = len(shape_of(softmax))
    result = only_user(softmax)
    if softmax.args[1] != rank - 1 or rank not in (3, 4):
        return None
    if result is None or not is_call(result, torch.matmul) or result.args[0] is not softmax:
        return None
    masked: Any = softmax.args[0]
    scores, mask = _unmasked(writer, masked) if only_user(masked) else (masked, None)
    scores, scale = _unscaled(scores, alone=True)
    if not is_call(scores, torch.matmul) or only_user(scores) is None:
        return None
    query, factor = _unscaled(scores.args[0])
    keys, value = _keys(scores.args[1]), result.args[1]
    scale *= factor * keys.factor
    if not isinstance(value, fx.Node) or scale <= 0.0:
        return None
    shapes = shape_of(query), keys.shape, shape_of(value)
    if len({shape[:-2] for shape in shapes}) != 1:
        return None
    if mask is not None:
        tensor = constant_of(writer, mask)
        if tensor is None or checked_mask(tensor, shapes[0], shapes[1]) is None:
            return None
    if rank == 3 and shapes[0][0] > _MOST_MATRICES:
        return None
    return _Attention(result, query, keys, value, scale, mask)


def _unmasked(writer: GraphWriter, scores: fx.Node) -> tuple[Any, fx.Node | None]:
    """The scores before a constant was added to them, and that constant."""
    if is_call(scores, torch.add):
        first, second = scores.args
        for x, mask in ((first, second), (second, first)):
            if constant_of(writer, mask) is not None and isinstance(mask, fx.Node):
                return x, mask
    return scores, None


def _unscaled(node: Any, alone: bool = False) -> tuple[Any, float]:
    """x and number of a node that is x times it; alone: past nodes that have one user."""
    number = 1.0
    while (found := factor_of(node)) is not None and (not alone or only_user(node) is not None):
        node, number = found[0], number * found[1]
    return node, number


def _keys(transposed: Any) -> _Keys:
    """The keys, given those that the queries are multiplied by, whose last axes are swapped."""
    node, factor = _unscaled(transposed)
    rank = len(shape_of(node))
    order = _permutation(node)
    if order is not None:
        source, more = _unscaled(node.args[0])
        return _Keys(source, (*order[:-2], order[-1], order[-2]), factor * more)
    # As a stack of matrices, each transposed, and apart again: how torch.export writes it.
    turned = node.args[0] if is_call(node, torch.reshape) else None
    if isinstance(turned, fx.Node) and _permutation(turned) == (0, 2, 1):
        (stack,) = turned.all_input_nodes
        if is_call(stack, torch.reshape):
            source, more = _unscaled(stack.args[0])
            shape = shape_of(source)
            swapped = (*shape[:-2], shape[-1], shape[-2])
            if shape[-2:] == shape_of(stack)[-2:] and shape_of(node) == swapped:
                return _Keys(source, tuple(range(rank)), factor * more)
    return _Keys(node, (*range(rank - 2), rank - 1, rank - 2), factor)


def _permutation(node: object) -> tuple[int, ...] | None:
    """The order that a permutation puts axes in; None where the node is none."""
    if not is_call(node, torch.permute):
        return None
    order: Any = node.args[1]
    return tuple(order)


def _join(writer: GraphWriter, found: _Attention) -> None:
    """Replaces it; three dimensions become four, which fused kernels ask for."""
    place = found.result

    def call(function: Any, *args: Any, **kwargs: Any) -> fx.Node:
        return call_before(writer, place, function, *args, **kwargs)

    key = found.keys.node
    if found.keys.order != tuple(range(len(found.keys.order))):
        key = call(torch.permute, key, found.keys.order)
    query, value, mask = found.query, found.value, found.mask
    flat = len(shape_of(query)) == 3
    if flat:
        query, key, value = (call(torch.unsqueeze, part, 1) for part in (query, key, value))
        if mask is not None and len(shape_of(mask)) == 3:
            mask = call(torch.unsqueeze, mask, 1)
    result = call(
        F.scaled_dot_product_attention, query, key, value, mask, 0.0, False, scale=found.scale
    )
    replace(writer, place, call(torch.squeeze, result, 1) if flat else result)
