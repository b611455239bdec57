"""A module as a graph with its batch normalisations in the weights of what they follow.

In eval mode batch normalisation is one multiplication and one addition per channel. They go into
the convolution (or matrix) before it, in float64, rounded once to the weights' own type: so a
half-precision network rounds weights that are already folded, and not scales of its own.
"""

import copy

import torch
from torch import fx, nn

_NORMALISED: tuple[tuple[type[nn.Module], type[nn.Module]], ...] = (
    (nn.Conv1d, nn.BatchNorm1d),
    (nn.Conv2d, nn.BatchNorm2d),
    (nn.Conv3d, nn.BatchNorm3d),
    (nn.Linear, nn.BatchNorm1d),
)


class UntraceableError(Exception):
    """torch.fx cannot follow this module; the message says why."""


def traced(module: nn.Module) -> fx.GraphModule:
    """A module (in eval mode) as a new graph, which shares its submodules and parameters.

    Raises UntraceableError for one whose Python code depends on values.
    """
    if isinstance(module, fx.GraphModule):
        return fx.GraphModule(module, copy.deepcopy(module.graph))
    try:
        return fx.symbolic_trace(module)
    except Exception as error:  # whatever a module's own code raises on a proxy
        raise UntraceableError(str(error)) from None


def fold(graph: fx.GraphModule) -> fx.GraphModule:
    """Fold batch normalisations, in place; returns the graph.

    Modules of the graph are replaced by new ones and never changed themselves. Those that are of
    half precision already are left as they are: their weights would be rounded a second time, and a
    product with a scale may leave their range.
    """
    for node in list(graph.graph.nodes):
        norm = plain(graph, node)
        before = node.args[0] if node.args else None
        if norm is None or not isinstance(before, fx.Node) or len(before.users) != 1:
            continue
        weighted = plain(graph, before)
        if weighted is None or (type(weighted), type(norm)) not in _NORMALISED:
            continue
        if norm.running_mean is None or norm.training or _is_half(weighted):
            continue
        before.target = add_module(graph, "folded", _folded(weighted, norm))
        node.replace_all_uses_with(before)
        graph.graph.erase_node(node)
    graph.delete_all_unused_submodules()
    graph.recompile()
    return graph


def plain(graph: fx.GraphModule, node: object) -> nn.Module | None:
    """The module that a node calls, if nothing changes what it computes: no hook, no
    parametrization (those make a class of their own), no other call of it in the graph."""
    if not isinstance(node, fx.Node) or node.op != "call_module" or len(node.args) != 1:
        return None
    module = graph.get_submodule(str(node.target))
    hooks = (module._forward_hooks, module._forward_pre_hooks)
    calls = sum(n.op == "call_module" and n.target == node.target for n in graph.graph.nodes)
    return module if not any(hooks) and calls == 1 and not node.kwargs else None


def add_module(graph: fx.GraphModule, name: str, module: nn.Module) -> str:
    """Add a module under a name that is free, which is returned."""
    taken, number = dict(graph.named_children()), 0
    while f"{name}_{number}" in taken:
        number += 1
    graph.add_submodule(f"{name}_{number}", module)
    return f"{name}_{number}"


def with_weights(module: nn.Module, weight: torch.Tensor, bias: torch.Tensor | None) -> nn.Module:
    """A convolution or linear map like `module` with these weights, rounded to its own type."""
    own = module.weight
    assert isinstance(own, torch.Tensor)
    if isinstance(module, nn.Linear):
        like: nn.Module = nn.Linear(module.in_features, module.out_features, device="meta")
    else:
        assert isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d)
        # The three take the same arguments, and a module of one kind has the tuples of that kind.
        like = type(module)(
            module.in_channels,
            module.out_channels,
            module.kernel_size,  # type: ignore[arg-type]
            module.stride,  # type: ignore[arg-type]
            module.padding,  # type: ignore[arg-type]
            module.dilation,  # type: ignore[arg-type]
            module.groups,
            padding_mode=module.padding_mode,
            device="meta",
        )
    like.weight = _parameter(weight, own)
    like.register_parameter("bias", None if bias is None else _parameter(bias, own))
    return like.eval()


def _is_half(module: nn.Module) -> bool:
    weight = module.weight
    return isinstance(weight, torch.Tensor) and weight.dtype.itemsize < 4


def _parameter(values: torch.Tensor, like: torch.Tensor) -> nn.Parameter:
    return nn.Parameter(values.detach().to(like.dtype).contiguous(), requires_grad=False)


def _folded(module: nn.Module, norm: nn.Module) -> nn.Module:
    assert isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d)
    assert norm.running_mean is not None
    assert norm.running_var is not None
    weight, bias = module.weight, module.bias
    assert isinstance(weight, torch.Tensor)
    scale = torch.rsqrt(norm.running_var.double() + norm.eps)
    if norm.weight is not None:
        scale = scale * norm.weight.double()
    offset = -norm.running_mean.double()
    if isinstance(bias, torch.Tensor):
        offset = offset + bias.double()
    shift = offset * scale
    if norm.bias is not None:
        shift = shift + norm.bias.double()
    per_channel = scale.reshape(-1, *[1] * (weight.dim() - 1))
    return with_weights(module, weight.double() * per_channel, shift)
