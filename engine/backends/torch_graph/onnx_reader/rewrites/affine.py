"""One factor and one term for each channel after a convolution, taken into it."""

import operator

import torch
from torch import fx, nn

from smoothcert.engine.backends.torch_graph.onnx_reader.graph import GraphWriter
from smoothcert.engine.backends.torch_graph.onnx_reader.rewrites.patterns import (
    constant_of,
    is_call,
    only_user,
    other_operand,
    replace,
)
from smoothcert.engine.backends.torch_graph.onnx_reader.values import shape_of

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


def fold_affine(writer: GraphWriter) -> None:
    """Into each convolution what its only users add and multiply, in float64, rounded once.

    Its weight becomes a new parameter: others may share the old one. Half types are left alone,
    whose range a product of weight and factor may leave.
    """
    for node in list(writer.graph.nodes):
        if node.op != "call_module":
            continue
        module = writer.root.get_submodule(str(node.target))
        if isinstance(module, _CONVOLUTIONS) and module.weight.dtype.itemsize >= 4:
            _fold_users(writer, node, module)


def _fold_users(
    writer: GraphWriter, node: fx.Node, module: nn.Conv1d | nn.Conv2d | nn.Conv3d
) -> None:
    scale = torch.ones(module.out_channels, dtype=torch.float64)
    shift = torch.zeros_like(scale)
    if module.bias is not None:
        shift += module.bias
    last = node
    while (user := only_user(last)) is not None:
        step = _step(writer, user, last, module.out_channels)
        if step is None:
            break
        scale, shift, last = scale * step[0], shift * step[0] + step[1], user
    if last is node:
        return
    kernel = module.weight.double() * scale.reshape(-1, *[1] * (module.weight.ndim - 1))
    weight, bias = kernel.to(module.weight.dtype), shift.to(module.weight.dtype)
    if not (bool(weight.isfinite().all()) and bool(bias.isfinite().all())):
        return
    module.weight = nn.Parameter(weight.contiguous(), requires_grad=False)
    module.bias = nn.Parameter(bias, requires_grad=False)
    while last is not node:
        before = next(arg for arg in last.args if isinstance(arg, fx.Node) and arg.op != "get_attr")
        replace(writer, last, node)
        last = before


def _step(
    writer: GraphWriter, user: fx.Node, x: fx.Node, channels: int
) -> tuple[torch.Tensor, torch.Tensor] | None:
    """(factor, term) of a node that is x * factor + term, each [channels] or one number."""
    if not is_call(user, torch.add, operator.mul, operator.sub, operator.truediv):
        return None
    number = _by_channel(writer, other_operand(user, x), x, channels)
    if number is None:
        return None
    one, none = torch.ones((), dtype=torch.float64), torch.zeros((), dtype=torch.float64)
    if user.target is torch.add:
        return one, number
    if user.target is operator.mul:
        return number, none
    if user.target is operator.sub:
        return (one, -number) if user.args[0] is x else (-one, number)
    return (1.0 / number, none) if user.args[0] is x else None


def _by_channel(
    writer: GraphWriter, operand: object, x: fx.Node, channels: int
) -> torch.Tensor | None:
    """A constant with one number for each channel of x, as float64 [channels]; or one number."""
    if isinstance(operand, float):
        return torch.tensor(operand, dtype=torch.float64)
    constant = constant_of(writer, operand)
    rank = len(shape_of(x))
    if constant is None or constant.ndim > rank:
        return None
    full = (1,) * (rank - constant.ndim) + tuple(constant.shape)
    if full != (1, channels) + (1,) * (rank - 2):
        return None
    return constant.double().reshape(-1)
