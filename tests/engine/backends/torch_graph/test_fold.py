"""Batch normalisation in the weights before it, and left alone where that would change anything."""

from typing import Any

import pytest
import torch
from torch import nn
from torch_modules import assert_equal, lively

from smoothcert.engine.backends.torch_graph.fold import UntraceableError, fold, traced


def norms(graph: nn.Module) -> int:
    return sum("BatchNorm" in type(part).__name__ for part in graph.modules())


@pytest.mark.parametrize(
    ("module", "shape"),
    [
        (nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8)), (2, 3, 9, 7)),
        (nn.Sequential(nn.Conv2d(4, 8, 3, groups=4), nn.BatchNorm2d(8)), (2, 4, 6, 6)),
        (nn.Sequential(nn.Conv2d(4, 8, 3, dilation=2), nn.BatchNorm2d(8, affine=False)),
         (2, 4, 9, 9)),
        (nn.Sequential(nn.Conv2d(4, 6, 3, padding=1, padding_mode="reflect"), nn.BatchNorm2d(6)),
         (2, 4, 9, 9)),
        (nn.Sequential(nn.Conv1d(4, 6, 3), nn.BatchNorm1d(6)), (2, 4, 9)),
        (nn.Sequential(nn.Conv3d(2, 4, 3), nn.BatchNorm3d(4)), (2, 2, 5, 5, 5)),
        (nn.Sequential(nn.Linear(5, 7), nn.BatchNorm1d(7), nn.ReLU()), (4, 5)),
    ],
    ids=lambda value: str(value)[:40],
)  # fmt: skip
def test_normalisation_goes_into_the_weights(module: nn.Module, shape: tuple[int, ...]) -> None:
    lively(module)
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    graph = fold(traced(module))
    assert norms(graph) == 0
    assert_equal(module, graph, *shape)
    assert all(torch.equal(before[name], tensor) for name, tensor in module.state_dict().items())


class Shared(nn.Module):
    """One convolution called twice, normalised once."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution, self.norm = nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        normed: torch.Tensor = self.norm(self.convolution(self.convolution(x)))
        return normed


class UsedTwice(nn.Module):
    """What the normalisation sees is seen by another too."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution, self.norm = nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.convolution(x)
        total: torch.Tensor = self.norm(y) + y
        return total


def hooked() -> nn.Module:
    module = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3))
    module[0].register_forward_hook(lambda _module, _inputs, output: 2 * output)
    return module


def normed_weight() -> nn.Module:
    """weight_norm computes the weight from others at every call."""
    convolution = nn.utils.parametrizations.weight_norm(nn.Conv2d(3, 3, 3, padding=1))
    return nn.Sequential(convolution, nn.BatchNorm2d(3))


def by_batch() -> nn.Module:
    """Without running statistics it depends on its batch in eval mode too."""
    return nn.Sequential(nn.Conv2d(3, 3, 3), nn.BatchNorm2d(3, track_running_stats=False))


@pytest.mark.parametrize("make", [Shared, UsedTwice, hooked, normed_weight, by_batch])
def test_what_cannot_be_folded_stays(make: Any) -> None:
    module = lively(make())
    graph = fold(traced(module))
    assert norms(graph) == 1
    assert_equal(module, graph, 2, 3, 8, 8)


def test_a_half_network_rounds_folded_weights_once() -> None:
    """Folded in half precision, a small scale would be lost."""
    module = nn.Sequential(nn.Conv2d(1, 1, 1, bias=False), nn.BatchNorm2d(1))
    lively(module)
    norm: Any = module[1]
    norm.running_var.fill_(1e10)
    graph: Any = fold(traced(module)).half()
    (convolution,) = [part for part in graph.modules() if isinstance(part, nn.Conv2d)]
    exact = (
        module[0].weight.double() * norm.weight.double() / (norm.running_var.double() + 1e-5).sqrt()
    )
    assert torch.equal(convolution.weight.double(), exact.half().double())


def test_a_module_of_half_precision_is_left_as_it_is() -> None:
    """Its weights are rounded already: rounding them again would be another network."""
    module = lively(nn.Sequential(nn.Conv2d(3, 3, 3), nn.BatchNorm2d(3))).half()
    assert norms(fold(traced(module))) == 1


class Decides(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x if x.sum() > 0 else -x


def test_a_module_that_decides_by_value_is_not_traced() -> None:
    with pytest.raises(UntraceableError, match="control flow"):
        traced(Decides())


def test_a_graph_is_copied_and_its_weights_are_shared() -> None:
    first = traced(lively(nn.Sequential(nn.Conv2d(3, 3, 3), nn.BatchNorm2d(3))))
    second = fold(traced(first))
    assert (norms(first), norms(second)) == (1, 0)
