"""ResNets with the state-dict keys of torchvision's (He et al. 2016; stride in the 3x3, "v1.5")."""

from collections.abc import Sequence

import torch
from torch import nn

BLOCKS: dict[str, tuple[bool, tuple[int, int, int, int]]] = {
    "resnet18": (False, (2, 2, 2, 2)),
    "resnet34": (False, (3, 4, 6, 3)),
    "resnet50": (True, (3, 4, 6, 3)),
    "resnet101": (True, (3, 4, 23, 3)),
    "resnet152": (True, (3, 8, 36, 3)),
}
"""Per name: whether blocks are bottlenecks, and how many each stage has."""


def _conv(inside: int, outside: int, size: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inside, outside, size, stride, padding=size // 2, bias=False)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut."""

    expansion = 1

    def __init__(self, inside: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = _conv(inside, width, 3, stride), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = _conv(width, width, 3), nn.BatchNorm2d(width)
        self.downsample = _shortcut(inside, width, stride)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """See nn.Module."""
        out = torch.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        return torch.relu(out + (x if self.downsample is None else self.downsample(x)))


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1 convolutions and a shortcut, four times as wide at its ends."""

    expansion = 4

    def __init__(self, inside: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = _conv(inside, width, 1), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = _conv(width, width, 3, stride), nn.BatchNorm2d(width)
        self.conv3, self.bn3 = _conv(width, 4 * width, 1), nn.BatchNorm2d(4 * width)
        self.downsample = _shortcut(inside, 4 * width, stride)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """See nn.Module."""
        out = torch.relu(self.bn1(self.conv1(x)))
        out = torch.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        return torch.relu(out + (x if self.downsample is None else self.downsample(x)))


def _shortcut(inside: int, outside: int, stride: int) -> nn.Sequential | None:
    """The 1x1 projection where the shape changes."""
    if stride == 1 and inside == outside:
        return None
    return nn.Sequential(_conv(inside, outside, 1, stride), nn.BatchNorm2d(outside))


def stage(
    block: type[BasicBlock] | type[Bottleneck], inside: int, width: int, count: int, stride: int
) -> nn.Sequential:
    """`count` blocks, the first of which changes the shape."""
    wide = width * block.expansion
    rest = [block(wide, width, 1) for _ in range(count - 1)]
    return nn.Sequential(block(inside, width, stride), *rest)


class ResNet(nn.Module):
    """An ImageNet ResNet: images [N, C, H, W] to logits [N, num_classes]."""

    def __init__(
        self, bottleneck: bool, blocks: Sequence[int], num_classes: int, channels: int = 3
    ) -> None:
        super().__init__()
        block = Bottleneck if bottleneck else BasicBlock
        self.conv1, self.bn1 = _conv(channels, 64, 7, 2), nn.BatchNorm2d(64)
        self.maxpool = nn.MaxPool2d(3, 2, padding=1)
        self.layer1 = stage(block, 64, 64, blocks[0], 1)
        self.layer2 = stage(block, 64 * block.expansion, 128, blocks[1], 2)
        self.layer3 = stage(block, 128 * block.expansion, 256, blocks[2], 2)
        self.layer4 = stage(block, 256 * block.expansion, 512, blocks[3], 2)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(512 * block.expansion, num_classes)
        initialize(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """See nn.Module."""
        x = self.maxpool(torch.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        logits: torch.Tensor = self.fc(self.avgpool(x).flatten(1))
        return logits


def initialize(module: nn.Module) -> None:
    """He initialisation of every convolution."""
    for part in module.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.kaiming_normal_(part.weight, mode="fan_out", nonlinearity="relu")
