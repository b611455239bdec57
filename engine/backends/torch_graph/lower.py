"""A module in another number type, laid out as cuDNN's convolutions are fastest."""

import copy

import torch
from torch import fx, nn

SCALARS = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


def lowered(module: nn.Module, scalar: str | None) -> nn.Module:
    """A copy of a module, in eval mode, that computes in `scalar` (of SCALARS; None: as it does
    now) on weights that are laid out channels last.

    Parameters and buffers are rounded once. A graph's own conversions to a float type (of a mask,
    say) become conversions to this one: half of a network's values must not meet float32 ones.
    """
    module = copy.deepcopy(module).eval()
    if scalar is not None:
        dtype = SCALARS[scalar]
        if isinstance(module, fx.GraphModule):
            _convert(module, dtype)
        module = module.to(dtype)
    # Not by module.to(memory_format=...), which fails where any tensor has five dimensions.
    for weight in module.parameters():
        if weight.dim() == 4:
            weight.data = weight.data.contiguous(memory_format=torch.channels_last)
    return module


def _convert(graph: fx.GraphModule, dtype: torch.dtype) -> None:
    for node in graph.graph.nodes:
        if node.target is torch.Tensor.to and len(node.args) == 2:
            wanted = node.args[1]
            if isinstance(wanted, torch.dtype) and wanted.is_floating_point:
                node.args = (node.args[0], dtype)
    graph.recompile()
