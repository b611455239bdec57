"""Images that are dark or bright, and a network that tells which: clean predictions are plain."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

CORRECT = [index for index in range(24) if index % 3]
"""The images whose label is what the network says."""


def write_brightness(linear_model: Callable[..., Path]) -> Path:
    """A network of two classes: 1 where an image of 3x6x6 is bright on the whole."""
    weight = np.stack([np.zeros(108), np.full(108, 1 / 108)])
    return linear_model(weight, np.array([0.5, 0.0]), (3, 6, 6), name="brightness.onnx")


def write_halves(folder: Path) -> Path:
    """An .npz of 24 images, dark and bright in turn; every third has the other one's label."""
    path = folder / "halves.npz"
    images = np.full((24, 6, 6, 3), 20, np.uint8)
    images[1::2] = 230
    labels = np.arange(24) % 2
    labels[::3] = 1 - labels[::3]
    np.savez(path, images=images, labels=labels)
    return path
