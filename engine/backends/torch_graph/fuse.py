"""Convolution, bias, addition and ReLU as one operation of cuDNN's.

Apart, each reads and writes the whole activation: on an H200 a ResNet-50 in float16 spends almost
half of its time so. What is replaced, and by what:

    relu(convolution(x))         FusedConvolution(x)
    relu(convolution(x) + z)     FusedConvolution(x, z)

The convolution's bias is in both; a bias of the convolution that made z moves into it too. cuDNN's
ReLU may turn NaN into 0 where torch's keeps it: the network is then another function there, and it
is that function which is certified.
"""

import operator
from collections.abc import Iterator
from typing import Any

import torch
from torch import fx, nn

from smoothcert.engine.backends.torch_graph.fold import add_module, plain, with_weights

_RELUS = (torch.relu, torch.relu_, nn.functional.relu, nn.functional.relu_)
_SUMS = (operator.add, operator.iadd, torch.add)
_ASSIGNMENTS = (
    operator.iadd, operator.isub, operator.imul, operator.itruediv, operator.ifloordiv,
    operator.imod, operator.ipow, operator.iand, operator.ior, operator.ixor, operator.imatmul,
    operator.setitem,
)  # fmt: skip


class FusedConvolution(nn.Module):
    """relu(convolution(x) + bias [+ z]): one call on a GPU, its definition elsewhere.

    Where cuDNN has no kernel for it (or z is not of the convolution's shape and type), the first
    call finds out, and the definition is taken from then on; `fused` says which.
    """

    def __init__(self, convolution: nn.Conv2d, bias: torch.Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(convolution.weight.detach(), requires_grad=False)
        self.bias = nn.Parameter(bias.detach(), requires_grad=False)
        self.fused = True
        padding = convolution.padding
        assert not isinstance(padding, str)
        self._geometry = (
            list(convolution.stride),
            list(padding),
            list(convolution.dilation),
            convolution.groups,
        )

    def forward(self, x: torch.Tensor, z: torch.Tensor | None = None) -> torch.Tensor:
        """See nn.Module."""
        if not self.fused or not x.is_cuda:
            return self._definition(x, z)
        try:
            if z is None:
                return torch.cudnn_convolution_relu(x, self.weight, self.bias, *self._geometry)
            if z.dtype == x.dtype and z.shape == self._shape(x):
                return torch.cudnn_convolution_add_relu(
                    x, self.weight, z, 1.0, self.bias, *self._geometry
                )
        except torch.OutOfMemoryError:
            raise
        except RuntimeError:  # no kernel of cuDNN's does this
            if torch.cuda.is_current_stream_capturing():
                raise
        self.fused = False
        return self._definition(x, z)

    def _definition(self, x: torch.Tensor, z: torch.Tensor | None) -> torch.Tensor:
        y = torch.conv2d(x, self.weight, self.bias, *self._geometry)
        return torch.relu_(y) if z is None else torch.relu(y + z)

    def _shape(self, x: torch.Tensor) -> tuple[int, ...]:
        """That of the convolution's result."""
        stride, padding, dilation, _ = self._geometry
        sides = (
            (side + 2 * padding[i] - dilation[i] * (kernel - 1) - 1) // stride[i] + 1
            for i, (side, kernel) in enumerate(zip(x.shape[2:], self.weight.shape[2:], strict=True))
        )
        return (x.shape[0], self.weight.shape[0], *sides)


def fuse(graph: fx.GraphModule) -> fx.GraphModule:
    """Replace the patterns, in place; returns the graph, which computes the same function."""
    for relu in list(graph.graph.nodes):
        if _is_relu(graph, relu) and isinstance(relu.args[0], fx.Node):
            _fuse_sum(graph, relu) or _fuse_convolution(graph, relu)
    graph.delete_all_unused_submodules()
    graph.recompile()
    return graph


def fused_counts(module: nn.Module) -> tuple[int, int]:
    """How many convolutions are fused with their ReLU, and how many more are left apart."""
    parts = list(module.modules())
    fused = sum(isinstance(part, FusedConvolution) and part.fused for part in parts)
    return fused, sum(isinstance(p, nn.Conv2d | FusedConvolution) for p in parts) - fused


def _fuse_convolution(graph: fx.GraphModule, relu: fx.Node) -> bool:
    before = relu.args[0]
    convolution = _convolution(graph, before)
    if convolution is None:
        return False
    assert isinstance(before, fx.Node)
    # Where the convolution was: its input may be written over before the ReLU's turn comes.
    fused = FusedConvolution(convolution, _bias(convolution))
    _replace(graph, relu, before, before, fused, before.args)
    return True


def _fuse_sum(graph: fx.GraphModule, relu: fx.Node) -> bool:
    total = relu.args[0]
    assert isinstance(total, fx.Node)
    if not _is_sum(total) or len(total.users) != 1:
        return False
    for one, z in (total.args, total.args[::-1]):
        convolution = _convolution(graph, one)
        if convolution is None or not isinstance(z, fx.Node) or z is one:
            continue
        assert isinstance(one, fx.Node)
        if any(_writes(graph, node) for node in _between(one, total)):
            continue
        if _writes(graph, total) and one is not total.args[0] and len(z.users) != 1:
            continue  # z becomes the sum, which another node reads
        bias = _bias(convolution)
        other = _convolution(graph, z)
        if other is not None and other.bias is not None and other.out_channels == len(bias):
            bias = bias + other.bias.detach()
            z.target = add_module(graph, "unbiased", with_weights(other, other.weight, None))
        fused = FusedConvolution(convolution, bias)
        _replace(graph, relu, total, one, fused, (one.args[0], z))
        return True
    return False


def _replace(
    graph: fx.GraphModule,
    relu: fx.Node,
    place: fx.Node,
    convolution: fx.Node,
    module: FusedConvolution,
    inputs: tuple[Any, ...],
) -> None:
    name = add_module(graph, "fused", module)
    with graph.graph.inserting_before(place):
        node = graph.graph.call_module(name, inputs)
    relu.replace_all_uses_with(node)
    # Not by eliminate_dead_code, to which an in-place operation without users is dead.
    for gone in dict.fromkeys((relu, place, convolution)):
        graph.graph.erase_node(gone)


def _convolution(graph: fx.GraphModule, node: object) -> nn.Conv2d | None:
    """The convolution that a node calls, if its result is used once and it pads with zeros."""
    module = plain(graph, node)
    if type(module) is not nn.Conv2d or not isinstance(node, fx.Node) or len(node.users) != 1:
        return None
    return (
        module if module.padding_mode == "zeros" and not isinstance(module.padding, str) else None
    )


def _bias(convolution: nn.Conv2d) -> torch.Tensor:
    if convolution.bias is None:
        return torch.zeros_like(convolution.weight[:, 0, 0, 0])
    return convolution.bias


def _is_relu(graph: fx.GraphModule, node: fx.Node) -> bool:
    if node.op == "call_module":
        return type(plain(graph, node)) is nn.ReLU
    if node.op == "call_method":
        return node.target in ("relu", "relu_")
    return node.op == "call_function" and node.target in _RELUS


def _is_sum(node: fx.Node) -> bool:
    """Of two values, and nothing else: torch.add may scale one of them."""
    if node.op == "call_method":
        return node.target in ("add", "add_") and len(node.args) == 2 and not node.kwargs
    plainly = node.op == "call_function" and node.target in _SUMS
    return plainly and len(node.args) == 2 and not node.kwargs


def _between(first: fx.Node, last: fx.Node) -> Iterator[fx.Node]:
    node = first.next
    while node is not last:
        yield node
        node = node.next


def _writes(graph: fx.GraphModule, node: fx.Node) -> bool:
    """Whether a node may write over a value that another node made."""
    if node.op == "call_module":
        return bool(getattr(graph.get_submodule(str(node.target)), "inplace", False))
    if node.op == "call_method":
        return str(node.target).endswith("_")
    if node.op == "call_function":
        name = getattr(node.target, "__name__", "")
        asked = [*node.args, *node.kwargs.values()]
        given = "out" in node.kwargs or any(value is True for value in asked)
        return given or name.endswith("_") or node.target in _ASSIGNMENTS
    return False
