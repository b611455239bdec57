"""Activations that exporters write out, as the one call that they are."""

import math
import operator

import torch
import torch.nn.functional as F
from torch import fx

from smoothcert.engine.backends.torch_graph.onnx_reader.graph import GraphWriter
from smoothcert.engine.backends.torch_graph.onnx_reader.rewrites.patterns import (
    call_before,
    factor_of,
    is_call,
    only_user,
    other_operand,
    replace,
)
from smoothcert.engine.backends.torch_graph.onnx_reader.values import dtype_of


def join_gelu(writer: GraphWriter) -> None:
    """0.5 x (1 + erf(x / sqrt(2))), its factors in any order."""
    for node in list(writer.graph.nodes):
        if is_call(node, torch.erf):
            found = _gelu_at(node)
            if found is not None:
                replace(writer, found[0], call_before(writer, found[0], F.gelu, found[1]))


def _gelu_at(erf: fx.Node) -> tuple[fx.Node, fx.Node] | None:
    """The last node of a GELU around this erf, and its x."""
    inner = factor_of(erf.args[0])
    near = torch.finfo(dtype_of(erf)).eps
    if inner is None or not math.isclose(inner[1], math.sqrt(0.5), rel_tol=near):
        return None
    x, last = inner[0], only_user(erf)
    if last is None or not is_call(last, torch.add) or other_operand(last, erf) != 1.0:
        return None
    factor, found = 1.0, False  # what 1 + erf has been multiplied by, and whether by x too
    while not found or factor != 0.5:
        user = only_user(last)
        scaled = factor_of(user)
        if user is None:
            return None
        if scaled is not None:
            factor *= scaled[1]
        elif is_call(user, operator.mul) and not found:
            other = other_operand(user, last)
            by = factor_of(other)
            if other is not x:
                if by is None or by[0] is not x:
                    return None
                factor *= by[1]
            found = True
        else:
            return None
        last = user
    return last, x


def join_gates(writer: GraphWriter) -> None:
    """x sigmoid(x) as SiLU, and x hardsigmoid(x) as hard swish."""
    for node in list(writer.graph.nodes):
        user = only_user(node)
        if not is_call(node, torch.sigmoid, F.hardsigmoid) or not is_call(user, operator.mul):
            continue
        x = node.args[0]
        if other_operand(user, node) is x:
            gated = F.silu if node.target is torch.sigmoid else F.hardswish
            replace(writer, user, call_before(writer, user, gated, x))
