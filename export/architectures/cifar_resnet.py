"""CIFAR ResNets (He et al. 2016, section 4.2) with the state-dict keys of the original code's."""

import torch
from torch import nn

from smoothcert.export.architectures.resnet import BasicBlock, initialize, stage


class CifarResNet(nn.Module):
    """Depth 6n + 2: three stages of n basic blocks, 16, 32 and 64 wide, for 32x32 images."""

    def __init__(self, depth: int, num_classes: int, channels: int = 3) -> None:
        super().__init__()
        count, remainder = divmod(depth - 2, 6)
        assert remainder == 0, "depth is 6n + 2"
        self.conv1 = nn.Conv2d(channels, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = stage(BasicBlock, 16, 16, count, 1)
        self.layer2 = stage(BasicBlock, 16, 32, count, 2)
        self.layer3 = stage(BasicBlock, 32, 64, count, 2)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(64, num_classes)
        initialize(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """See nn.Module."""
        x = torch.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        logits: torch.Tensor = self.fc(self.avgpool(x).flatten(1))
        return logits
