"""Random images as a program holds them, and data sets that give them in different forms."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch.utils.data import Dataset

COUNT, SHAPE = 12, (3, 6, 6)
LABELS = np.arange(COUNT) % 4


def random_pixels(count: int = COUNT) -> npt.NDArray[np.uint8]:
    """Images uint8 [N, 6, 6, 3], the same always."""
    return np.random.default_rng(1).integers(0, 256, (count, 6, 6, 3)).astype(np.uint8)


def as_tensor(image: npt.NDArray[np.uint8]) -> torch.Tensor:
    """What torchvision's ToTensor makes of it."""
    return torch.from_numpy(image).permute(2, 0, 1).float() / 255


FORMS: dict[str, Callable[[npt.NDArray[np.uint8]], Any]] = {
    "PIL": Image.fromarray,
    "uint8 array": np.array,
    "uint8 tensor": lambda image: torch.from_numpy(image).permute(2, 0, 1),
    "float tensor": as_tensor,
    "float64 array": lambda image: image / 255,
}
"""An image as data sets give it."""


class Pairs(Dataset[Any]):
    """A data set that others wrote: it tells nothing but its length and its items."""

    def __init__(self, form: str = "PIL", count: int = COUNT) -> None:
        self.images, self.form = random_pixels(count), form
        self.asked: list[int] = []

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Any:
        self.asked.append(index)
        return FORMS[self.form](self.images[index]), int(LABELS[index % COUNT])

    def pairs(self) -> list[Any]:
        """Its items."""
        return [self[index] for index in range(len(self))]
