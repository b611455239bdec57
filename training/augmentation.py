"""Random crops and flips, as the original code trains with them."""

import math

import numpy as np
import torch
from PIL import Image

_PADDING = 4
_AREA = (0.08, 1.0)
_LOG_RATIO = (math.log(3 / 4), math.log(4 / 3))
_ATTEMPTS = 10


def crop_and_flip(images: torch.Tensor) -> torch.Tensor:
    """Each image padded by 4 black pixels, cropped to its size at random, flipped by a fair coin.

    images: uint8 [N, C, H, W] on any device; the result is new. Draws from torch's global
    generators.
    """
    count, _, height, width = images.shape
    device = images.device
    padded = torch.nn.functional.pad(images, (_PADDING,) * 4)
    offsets = torch.randint(0, 2 * _PADDING + 1, (2, count, 1), device=device)
    flipped = torch.rand(count, 1, device=device) < 0.5
    columns = torch.arange(width, device=device)
    rows = offsets[0] + torch.arange(height, device=device)
    columns = offsets[1] + torch.where(flipped, width - 1 - columns, columns)
    image = torch.arange(count, device=device)[:, None, None]
    # Indexing moves the channels last.
    cropped = padded.permute(0, 2, 3, 1)[image, rows[:, :, None], columns[:, None, :]]
    return cropped.permute(0, 3, 1, 2)


def random_resized_crop(
    photograph: Image.Image, height: int, width: int, rng: np.random.Generator
) -> Image.Image:
    """A random part of a photograph at height x width (bilinear), flipped by a fair coin.

    The part has 8 % to 100 % of the area and an aspect ratio of 3/4 to 4/3, uniform in its
    logarithm (Szegedy et al. 2015); where ten such parts do not fit, the largest central one that
    does is taken.
    """
    left, top, right, bottom = _random_box(photograph.width, photograph.height, rng)
    part = photograph.crop((left, top, right, bottom))
    part = part.resize((width, height), Image.Resampling.BILINEAR)
    flip = rng.random() < 0.5
    return part.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if flip else part


def _random_box(width: int, height: int, rng: np.random.Generator) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of a random part."""
    for _ in range(_ATTEMPTS):
        area = width * height * rng.uniform(*_AREA)
        ratio = math.exp(rng.uniform(*_LOG_RATIO))
        w, h = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < w <= width and 0 < h <= height:
            left = int(rng.integers(0, width - w + 1))
            top = int(rng.integers(0, height - h + 1))
            return left, top, left + w, top + h
    low, high = (math.exp(ratio) for ratio in _LOG_RATIO)
    w = min(width, max(1, round(height * high)))
    h = min(height, max(1, round(width / low)))
    left, top = (width - w) // 2, (height - h) // 2
    return left, top, left + w, top + h
