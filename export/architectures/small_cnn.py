"""A small network for small grey images: quick to train and to certify on a CPU."""

from torch import nn


class SmallCnn(nn.Sequential):
    """Three convolutions and two linear layers, about 165,000 parameters at 1x28x28.

    Strides and widths are chosen for CPU kernels: channels in multiples of 32, most work at 14x14
    and below.
    """

    def __init__(self, num_classes: int, shape: tuple[int, int, int]) -> None:
        channels, height, width = shape

        def shrunk(side: int) -> int:
            return (side + 1) // 2 // 2 // 2

        flat = 128 * shrunk(height) * shrunk(width)
        super().__init__(
            nn.Conv2d(channels, 32, 5, stride=2, padding=2, bias=False),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.Conv2d(32, 64, 3, padding=1, bias=False),
            nn.BatchNorm2d(64),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(64, 128, 3, padding=1, bias=False),
            nn.BatchNorm2d(128),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(flat, 64),
            nn.ReLU(),
            nn.Linear(64, num_classes),
        )
