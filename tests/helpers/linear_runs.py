"""A linear network of four classes and random images for it: runs of milliseconds."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

SHAPE = (1, 6, 5)


def linear_network(linear_model: Callable[..., Path]) -> Path:
    """An ONNX file; `linear_model` is the fixture."""
    rng = np.random.default_rng(0)
    return linear_model(rng.normal(size=(4, 30)), rng.normal(size=4), SHAPE)


def linear_images(folder: Path, number: int) -> Path:
    """A labelled .npz of so many images."""
    pixels = np.random.default_rng(1).integers(0, 256, (number, *SHAPE[1:])).astype(np.uint8)
    path = folder / "images.npz"
    np.savez(path, images=pixels, labels=np.arange(number) % 4)
    return path
