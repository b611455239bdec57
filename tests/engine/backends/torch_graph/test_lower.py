"""Half precision and the layout of weights."""

import operator
from typing import Any

import pytest
import torch
from torch import fx, nn

from smoothcert.engine.backends.torch_graph.lower import lowered


def masked() -> fx.GraphModule:
    """x + float32(mask), as an exporter writes a mask."""
    graph = fx.Graph()
    x = graph.placeholder("x")
    mask = graph.call_function(operator.gt, (x, 0))
    number = graph.call_function(torch.Tensor.to, (mask, torch.float32))
    count = graph.call_function(torch.Tensor.to, (mask, torch.int64))
    total = graph.call_function(operator.add, (x, number))
    graph.output(graph.call_function(operator.mul, (total, count)))
    return fx.GraphModule(nn.Module(), graph)


@pytest.mark.parametrize("scalar", ["float16", "bfloat16"])
def test_conversions_to_float_become_conversions_to_half(scalar: str) -> None:
    graph = masked()
    dtype = getattr(torch, scalar)
    x = torch.tensor([-1.0, 2.0])
    found = lowered(graph, scalar)(x.to(dtype))
    assert found.dtype == dtype
    assert found.tolist() == [0.0, 3.0]
    assert graph(x).dtype == torch.float32  # the graph itself is as it was


def test_weights_are_copied_rounded_and_channels_last() -> None:
    module: Any = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Dropout()).train()
    half: Any = lowered(module, "bfloat16")
    assert not any(part.training for part in half.modules())
    assert module[0].weight.dtype == torch.float32
    assert half[0].weight.dtype == torch.bfloat16
    assert half[0].weight.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(half[0].weight, module[0].weight.bfloat16())
    same: Any = lowered(module, None)
    assert same[0].weight.dtype == torch.float32
    assert same[0].weight.is_contiguous(memory_format=torch.channels_last)


def test_tensors_of_other_ranks_stay_as_they_are() -> None:
    """A window's mask has five dimensions."""
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv3d(3, 4, 3))
    module.register_buffer("mask", torch.zeros(2, 3, 4, 5, 6))
    made: Any = lowered(module, "float16")
    assert made[0].weight.is_contiguous(memory_format=torch.channels_last)
    assert made[1].weight.is_contiguous()
    assert made.mask.shape == (2, 3, 4, 5, 6)
