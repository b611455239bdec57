import numpy as np
import torch
from PIL import Image

from smoothcert.training.augmentation import crop_and_flip, random_resized_crop


def test_a_crop_is_a_shifted_flipped_window_of_the_padded_image() -> None:
    """All 81 windows of both orientations are enumerated; every result is one of them, and over
    many draws nearly all of them come."""
    image = torch.arange(1, 3 * 5 * 6 + 1, dtype=torch.uint8).view(3, 5, 6)
    padded = torch.nn.functional.pad(image, (4, 4, 4, 4))
    windows = {}
    for top in range(9):
        for left in range(9):
            window = padded[:, top : top + 5, left : left + 6]
            windows[window.numpy().tobytes()] = (top, left, False)
            windows[window.flip(2).contiguous().numpy().tobytes()] = (top, left, True)
    torch.manual_seed(0)
    cropped = crop_and_flip(image.repeat(4000, 1, 1, 1))
    assert cropped.shape == (4000, 3, 5, 6)
    assert cropped.dtype == torch.uint8
    found = [windows[one.contiguous().numpy().tobytes()] for one in cropped]
    assert len(set(found)) > 150
    assert 1800 < sum(flip for _, _, flip in found) < 2200


def test_images_of_a_batch_are_cropped_independently() -> None:
    torch.manual_seed(0)
    cropped = crop_and_flip(
        torch.randint(1, 255, (1, 1, 8, 8), dtype=torch.uint8).repeat(9, 1, 1, 1)
    )
    assert len({one.contiguous().numpy().tobytes() for one in cropped}) > 5


def test_a_random_resized_crop_has_the_size_and_range_of_scales() -> None:
    """On a picture whose pixel values are its coordinates, the part can be read off the result."""
    columns = np.broadcast_to(np.arange(200, dtype=np.uint8), (100, 200))
    picture = Image.fromarray(np.ascontiguousarray(columns))
    widths = []
    flips = 0
    for seed in range(300):
        part = random_resized_crop(picture, 32, 40, np.random.default_rng(seed))
        assert part.size == (40, 32)
        row = np.asarray(part, dtype=float)[16]
        flips += bool(row[0] > row[-1])
        widths.append(abs(row[-1] - row[0]) * 40 / 39)
    assert 110 < flips < 190
    # 8 % of the area at a ratio of 3/4 is 35 wide; 100 at most fits the height at 4/3: 133.
    assert 30 < min(widths) < 45
    assert 120 < max(widths) < 140


def test_a_strip_falls_back_to_its_centre() -> None:
    picture = Image.fromarray(np.arange(1000, dtype=np.uint16).astype(np.uint8)[None].repeat(2, 0))
    part = random_resized_crop(picture, 8, 8, np.random.default_rng(0))
    assert part.size == (8, 8)
