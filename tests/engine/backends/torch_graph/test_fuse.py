"""Fused against plain: the same function, with cuDNN's operations replaced by their definition."""

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch_modules import assert_equal, lively

from smoothcert.engine.backends.torch_graph.fold import fold, traced
from smoothcert.engine.backends.torch_graph.fuse import FusedConvolution, fuse, fused_counts
from smoothcert.export.architectures import architecture


def fused(module: nn.Module) -> torch.fx.GraphModule:
    return fuse(fold(traced(module)))


@pytest.mark.parametrize(
    ("arch", "shape", "counts"),
    [
        ("small_cnn", (1, 28, 28), (3, 0)),
        ("cifar_resnet20", (3, 32, 32), (19, 2)),
        ("cifar_resnet110", (3, 32, 32), (109, 2)),
        ("resnet18", (3, 64, 64), (17, 3)),
        ("resnet50", (3, 64, 64), (49, 4)),
    ],
)
def test_every_architecture(
    arch: str, shape: tuple[int, int, int], counts: tuple[int, int]
) -> None:
    """What is left apart are the shortcuts' convolutions, whose bias has moved."""
    torch.manual_seed(0)
    module = lively(architecture(arch, 10, shape))
    graph = fused(module)
    assert fused_counts(graph) == counts
    assert all(part.bias is None for part in graph.modules() if isinstance(part, nn.Conv2d))
    assert_equal(module, graph, 3, *shape)
    x = torch.rand(16, *shape)
    with torch.inference_mode():
        assert torch.equal(module(x).argmax(1), graph(x).argmax(1))


class Block(nn.Module):
    """relu(convolution(x) + shortcut(x)), written in the way of `form`."""

    def __init__(self, form: Callable[..., torch.Tensor], shortcut: nn.Module | None) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(4, 4, 3, padding=1)
        self.form, self.shortcut = form, shortcut

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.form(self.convolution(x), x if self.shortcut is None else self.shortcut(x))


def added_in_place(y: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
    y += z
    return nn.functional.relu(y, inplace=True)


def added_to_the_other(y: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
    return torch.relu(z + y)


def added_by_methods(y: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
    return y.add(z).relu()


def two_readers(y: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
    """The residual branch goes on after the sum."""
    return torch.relu(y + z) * z


@pytest.mark.parametrize(
    "form", [added_in_place, added_to_the_other, added_by_methods, two_readers]
)
@pytest.mark.parametrize(
    "shortcut",
    [None, nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 1, bias=False), nn.Sequential(nn.SiLU())],
    ids=["x", "projection", "projection without bias", "silu"],
)
def test_sums_are_fused(form: Callable[..., torch.Tensor], shortcut: nn.Module | None) -> None:
    module = Block(form, shortcut).eval()
    graph = fused(module)
    assert fused_counts(graph)[0] == 1
    assert_equal(module, graph, 2, 4, 6, 5)


@pytest.mark.parametrize(
    "convolution",
    [
        nn.Conv2d(4, 6, (3, 1), (2, 1), (1, 0)),
        nn.Conv2d(4, 6, 3, stride=3, padding=(0, 2), bias=False),
        nn.Conv2d(4, 8, 3, groups=2, padding=1),
        nn.Conv2d(4, 4, 3, groups=4, dilation=2),
        nn.Conv2d(4, 6, 1),
        nn.Conv2d(4, 6, 5, stride=2, padding=2, dilation=(1, 2)),
    ],
    ids=str,
)
@pytest.mark.parametrize("activation", [nn.ReLU(), nn.ReLU(inplace=True)])
def test_every_kind_of_convolution(convolution: nn.Conv2d, activation: nn.Module) -> None:
    channels = convolution.out_channels
    module = lively(nn.Sequential(convolution, nn.BatchNorm2d(channels), activation))
    graph = fused(module)
    assert fused_counts(graph) == (1, 0)
    assert_equal(module, graph, 2, 4, 11, 12)


def clipped(y: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
    return nn.functional.relu6(y + z)


def scaled(y: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
    return torch.relu(torch.add(y, z, alpha=2))


def read_before_the_sum(y: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
    return torch.relu(y + z) + y


def sum_read_twice(y: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
    total = y + z
    return torch.relu(total) + total


def written_over(y: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
    """The shortcut (x itself) changes between the convolution and the sum."""
    z.relu_()
    return torch.relu(y + z)


def becomes_the_sum(y: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
    """z is another tensor after the sum, and read then."""
    w = z + 0
    w += y
    return torch.relu(w) + w


@pytest.mark.parametrize(
    "form", [clipped, scaled, read_before_the_sum, sum_read_twice, written_over, becomes_the_sum]
)
def test_what_would_be_another_function_is_left_alone(form: Callable[..., torch.Tensor]) -> None:
    module = Block(form, None).eval()
    graph = fused(module)
    assert fused_counts(graph) == (0, 1)
    assert_equal(module, graph, 2, 4, 6, 5)


@pytest.mark.parametrize(
    "module",
    [
        nn.Sequential(nn.Conv2d(4, 4, 3), nn.ReLU6()),
        nn.Sequential(nn.Conv2d(4, 4, 3), nn.SiLU()),
        nn.Sequential(nn.Conv2d(4, 4, 3, padding="same"), nn.ReLU()),
        nn.Sequential(nn.Conv2d(4, 4, 3, padding=1, padding_mode="circular"), nn.ReLU()),
        nn.Sequential(nn.Conv2d(4, 4, 3), nn.Dropout(), nn.ReLU()),
    ],
    ids=str,
)
def test_other_modules_are_left_alone(module: nn.Module) -> None:
    graph = fused(module.eval())
    assert fused_counts(graph)[0] == 0
    assert_equal(module, graph, 2, 4, 9, 9)


def test_a_sum_that_broadcasts_keeps_its_shape() -> None:
    """The fused operation takes z of its result's shape alone: on a GPU it finds that out."""
    convolution = nn.Conv2d(2, 3, 3, stride=2, padding=1)
    assert convolution.bias is not None
    module = FusedConvolution(convolution, convolution.bias)
    x = torch.rand(5, 2, 7, 8)
    assert module._shape(x) == tuple(convolution(x).shape)
    z = torch.rand(5, 3, 1, 1)
    assert torch.allclose(module(x, z), torch.relu(convolution(x) + z))


def test_writing_in_place_elsewhere_stays() -> None:
    """A statement without a result is no dead code."""

    class Writes(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.convolution = nn.Conv2d(3, 3, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = torch.relu(self.convolution(x)) * 1
            y.mul_(3)
            return y

    module = Writes().eval()
    assert_equal(module, fused(module), 2, 3, 4, 4)
