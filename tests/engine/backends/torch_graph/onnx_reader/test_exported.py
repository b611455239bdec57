"""Networks as both of torch's exporters write them: the logits of ONNX Runtime, and the forms that
later passes look for."""

import math
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import fx, nn

from smoothcert.export.architectures import architecture
from smoothcert.export.architectures.resnet import ResNet

Agrees = Callable[..., fx.GraphModule]
Operations = Callable[[fx.GraphModule], Counter[str]]

EXPORTERS = ("dynamo", "torchscript")
FUSED = "scaled_dot_product_attention"


def _written(module: nn.Module, exporter: str, path: Path, shape: tuple[int, ...]) -> Path:
    """The file of a module with an open batch; its constant parameters are made random first.

    A scale of zeros would hide whatever stands before it.
    """
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in module.parameters():
            if parameter.numel() > 1 and parameter.std() == 0:
                parameter.add_(0.2 * torch.randn_like(parameter))
        for name, buffer in module.named_buffers():
            if name.endswith("running_mean"):
                buffer.normal_()
            elif name.endswith("running_var"):
                buffer.uniform_(0.5, 2.0)
    images = (torch.rand(2, *shape),)
    names: dict[str, Any] = {"input_names": ["input"], "output_names": ["logits"]}
    if exporter == "dynamo":
        names |= {"dynamic_shapes": ({0: torch.export.Dim("N")},), "external_data": False}
    else:
        names |= {"dynamic_axes": {"input": {0: "N"}, "logits": {0: "N"}}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dynamo = exporter == "dynamo"
        torch.onnx.export(module.eval(), images, path, dynamo=dynamo, verbose=False, **names)
    return path


class Patches(nn.Module):
    """A transformer of one block: 3x32x32 into 16 words of 32 numbers, four heads."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 32, 8, 8)
        self.before, self.between = nn.LayerNorm(32), nn.LayerNorm(32)
        self.qkv, self.out = nn.Linear(32, 96), nn.Linear(32, 32)
        self.wide, self.narrow = nn.Linear(32, 64), nn.Linear(64, 32)
        self.head = nn.Linear(32, 10)

    def attention(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        return F.scaled_dot_product_attention(q, k, v)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        batch, words, width = x.shape
        heads = self.qkv(self.before(x)).reshape(batch, words, 3, 4, 8).permute(2, 0, 3, 1, 4)
        q, k, v = heads.unbind(0)
        y = self.attention(q, k, v).transpose(1, 2).reshape(batch, words, width)
        x = x + self.out(y)
        x = x + self.narrow(F.gelu(self.wide(self.between(x))))
        logits: torch.Tensor = self.head(x.mean(1))
        return logits


class WrittenOut(Patches):
    def attention(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        scores = q * (1 / math.sqrt(q.shape[-1])) @ k.transpose(-2, -1)
        return scores.softmax(-1) @ v


class Biased(Patches):
    def __init__(self) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.randn(1, 4, 16, 16))

    def attention(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1]) + self.bias
        return scores.softmax(-1) @ v


@pytest.mark.parametrize("exporter", EXPORTERS)
@pytest.mark.parametrize("kind", [Patches, WrittenOut, Biased])
def test_attention_gelu_and_layers(
    tmp_path: Path, agrees: Agrees, operations: Operations, kind: type[nn.Module], exporter: str
) -> None:
    path = _written(kind(), exporter, tmp_path / "model.onnx", (3, 32, 32))
    for batch in (1, 3):
        found = operations(agrees(path, batch))
        expected = {FUSED: 1, "gelu": 1, "Linear": 5, "layer_norm": 2, "Conv2d": 1, "add": 2}
        assert {name: found[name] for name in expected} == expected
        assert not found.keys() & {"softmax", "matmul", "erf"}


class WithClassToken(nn.Module):
    """torch's own attention, with a word that stands for the class."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 32, 8, 8)
        self.token = nn.Parameter(torch.randn(1, 1, 32))
        self.places = nn.Parameter(torch.randn(1, 17, 32))
        self.block = nn.TransformerEncoderLayer(
            32, 4, 64, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        self.weighing = nn.MultiheadAttention(32, 4, batch_first=True)
        self.head = nn.Linear(32, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1) + self.places
        x = self.block(x)
        x = self.weighing(x, x, x, need_weights=True)[0]
        logits: torch.Tensor = self.head(x[:, 0])
        return logits


@pytest.mark.parametrize("exporter", EXPORTERS)
def test_attention_of_torch(
    tmp_path: Path, agrees: Agrees, operations: Operations, exporter: str
) -> None:
    path = _written(WithClassToken(), exporter, tmp_path / "model.onnx", (3, 32, 32))
    for batch in (1, 3):
        assert operations(agrees(path, batch))[FUSED] == 2


class Mobile(nn.Module):
    """Convolutions of every kind, gates, and pooling in its variants."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, (5, 3), (2, 3), (1, 2)), nn.BatchNorm2d(8))
        self.depthwise = nn.Conv2d(8, 16, 3, 1, 2, 2, groups=8)
        self.inner = nn.BatchNorm2d(16)
        self.squeeze, self.excite = nn.Conv2d(16, 4, 1), nn.Conv2d(4, 16, 1)
        self.grouped = nn.Conv2d(16, 12, 3, padding="same", groups=4, bias=False)
        self.last = nn.BatchNorm2d(12)
        self.pools = nn.ModuleList([
            nn.MaxPool2d(3, 2, 1, ceil_mode=True),
            nn.AvgPool2d(3, 1, 1, count_include_pad=False),
            nn.AvgPool2d(3, 2, 1),
        ])  # fmt: skip
        self.head = nn.Linear(12, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.silu(self.stem(x))
        x = F.hardswish(self.depthwise(self.pools[0](x)))
        x = F.relu6(self.inner(x) + 1)
        gate = F.adaptive_avg_pool2d(x, 1)
        gate = torch.sigmoid(self.excite(torch.relu(self.squeeze(gate))))
        x = x * gate
        x = self.pools[2](self.pools[1](F.leaky_relu(self.last(self.grouped(x)), 0.1)))
        logits: torch.Tensor = self.head(F.hardsigmoid(x).amax((2, 3)))
        return logits


@pytest.mark.parametrize("exporter", EXPORTERS)
def test_convolutions_gates_and_pools(
    tmp_path: Path, agrees: Agrees, operations: Operations, exporter: str
) -> None:
    path = _written(Mobile(), exporter, tmp_path / "model.onnx", (3, 32, 32))
    for batch in (1, 3):
        found = operations(agrees(path, batch))
        expected = {"Conv2d": 5, "silu": 1, "hardswish": 1, "max_pool2d": 1, "relu": 1}
        assert {name: found[name] for name in expected} == expected


class Shuffling(nn.Module):
    """Halves of channels, shuffled channels, and channels that become pixels and back."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, 2, 1)
        self.branch = nn.Sequential(nn.Conv2d(8, 8, 1), nn.BatchNorm2d(8), nn.PReLU(8))
        self.norm, self.each = nn.GroupNorm(4, 16), nn.InstanceNorm2d(16, affine=True)
        self.head = nn.Conv2d(16, 10, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        left, right = self.stem(x).chunk(2, 1)
        x = torch.cat([left, self.branch(right)], 1)
        batch, channels, height, width = x.shape
        x = x.view(batch, 2, channels // 2, height, width).transpose(1, 2).flatten(1, 2)
        x = F.pixel_unshuffle(F.pixel_shuffle(self.norm(x), 2), 2)
        x = F.interpolate(self.each(x), scale_factor=2, mode="nearest")
        x = F.pad(F.elu(x), (1, 0, 2, 1), mode="reflect")
        logits: torch.Tensor = self.head(x)
        return logits.mean((2, 3))


@pytest.mark.parametrize("exporter", EXPORTERS)
def test_channels_that_move(tmp_path: Path, agrees: Agrees, exporter: str) -> None:
    path = _written(Shuffling(), exporter, tmp_path / "model.onnx", (3, 32, 32))
    for batch in (1, 3):
        agrees(path, batch)


class Windows(nn.Module):
    """A shifted window of attention with a bias and a mask, as in Swin, and ConvNeXt's block."""

    mask: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.norm = nn.Conv2d(3, 16, 4, 4), nn.LayerNorm(16)
        self.qkv, self.head = nn.Linear(16, 48), nn.Linear(16, 10)
        self.bias = nn.Parameter(torch.randn(1, 2, 16, 16))
        self.spread = nn.Conv2d(16, 16, 7, 1, 3, groups=16)
        self.wide, self.narrow = nn.Linear(16, 32), nn.Linear(32, 16)
        self.scale = nn.Parameter(torch.full((16, 1, 1), 1e-6))
        regions = torch.zeros(8, 8)
        for number, (rows, columns) in enumerate([(0, 0), (0, 6), (6, 0), (6, 6)]):
            regions[rows:, columns:] = number
        cells = regions.view(2, 4, 2, 4).transpose(1, 2).reshape(4, 1, 16)
        self.register_buffer("mask", 100.0 * -(cells.transpose(1, 2) != cells).float())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x).permute(0, 2, 3, 1)
        batch = x.shape[0]
        y = torch.roll(self.norm(x), (-2, -2), (1, 2))
        y = y.view(batch, 2, 4, 2, 4, 16).transpose(2, 3).reshape(batch * 4, 16, 16)
        q, k, v = self.qkv(y).view(batch * 4, 16, 3, 2, 8).permute(2, 0, 3, 1, 4)
        scores = q * 8**-0.5 @ k.transpose(-2, -1) + self.bias
        scores = (scores.view(batch, 4, 2, 16, 16) + self.mask.unsqueeze(1)).view(-1, 2, 16, 16)
        y = (scores.softmax(-1) @ v).transpose(1, 2).reshape(batch, 2, 2, 4, 4, 16)
        x = x + torch.roll(y.transpose(2, 3).reshape(batch, 8, 8, 16), (2, 2), (1, 2))
        y = self.spread(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        y = self.narrow(F.gelu(self.wide(F.layer_norm(y, (16,))))).permute(0, 3, 1, 2)
        x = x.permute(0, 3, 1, 2) + self.scale * y
        logits: torch.Tensor = self.head(x.mean((2, 3)))
        return logits


@pytest.mark.parametrize("exporter", EXPORTERS)
def test_windows_that_roll(
    tmp_path: Path, agrees: Agrees, operations: Operations, exporter: str
) -> None:
    path = _written(Windows(), exporter, tmp_path / "model.onnx", (3, 32, 32))
    for batch in (1, 3):
        found = operations(agrees(path, batch))
        assert {name: found[name] for name in ("gelu", "Linear", "Conv2d")} == {
            "gelu": 1, "Linear": 4, "Conv2d": 2,
        }  # fmt: skip


@pytest.mark.parametrize("exporter", EXPORTERS)
@pytest.mark.parametrize(
    ("name", "shape", "expected"),
    [
        ("small_cnn", (1, 28, 28), {"Conv2d": 3, "relu": 4, "Linear": 2, "add": 0}),
        ("cifar_resnet20", (3, 32, 32), {"Conv2d": 21, "relu": 19, "Linear": 1, "add": 9}),
        ("resnet", (3, 32, 32), {"Conv2d": 17, "relu": 13, "Linear": 1, "add": 4}),
    ],
)
def test_architectures_of_the_house(
    tmp_path: Path, agrees: Agrees, operations: Operations, name: str, shape: tuple[int, int, int],
    expected: dict[str, int], exporter: str,
) -> None:  # fmt: skip
    module = ResNet(True, (1, 1, 1, 1), 10) if name == "resnet" else architecture(name, 10, shape)
    path = _written(module, exporter, tmp_path / "model.onnx", shape)
    for batch in (1, 3):
        found = operations(agrees(path, batch))
        assert {kind: found[kind] for kind in expected} == expected
