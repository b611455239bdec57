"""Torch modules as if trained, and whether two of them are the same function."""

import torch
from torch import nn


def lively(module: nn.Module) -> nn.Module:
    """The module in eval mode, its normalisations as if it had been trained."""
    generator = torch.Generator().manual_seed(0)
    for part in module.modules():
        if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d):
            with torch.no_grad():
                for tensor, low, high in (
                    (part.running_mean, -0.5, 0.5),
                    (part.running_var, 0.5, 2.0),
                    (part.weight, 0.5, 1.5),
                    (part.bias, -0.5, 0.5),
                ):
                    if tensor is not None:
                        tensor.uniform_(low, high, generator=generator)
    return module.eval()


def assert_equal(module: nn.Module, graph: nn.Module, *shape: int) -> None:
    x = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        want, found = module(x.clone()), graph(x.clone())
    assert found.shape == want.shape
    assert (found - want).abs().max() <= 1e-5 * want.abs().max()
