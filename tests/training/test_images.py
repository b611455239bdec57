from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.engine.sources import open_source
from smoothcert.training.images import MemoryImages, PhotographImages, open_images

CPU = torch.device("cpu")
CROPPED = InputSpec(3, 32, 32, resize=40)
STEPS = [np.array([3, 0, 11]), np.array([7, 5])]


def test_arrays_are_delivered_as_they_are(array_file: Callable[..., Path]) -> None:
    source = open_source(array_file("train.npz", 12), None, None)
    images = open_images(source, InputSpec(1, 16, 16), False, 0, CPU, workers=0)
    assert isinstance(images, MemoryImages)
    assert len(images) == 12
    batches = list(images.batches(STEPS, epoch=0))
    assert [labels.tolist() for _, labels in batches] == [[3, 0, 3], [3, 1]]
    for (pixels, _), step in zip(batches, STEPS, strict=True):
        for image, index in zip(pixels, step, strict=True):
            np.testing.assert_array_equal(image.numpy(), source.image(int(index)))


def test_test_images_are_never_augmented(
    array_file: Callable[..., Path], photograph_folder: Path
) -> None:
    for source, spec in (
        (open_source(array_file("train.npz", 12), None, None), InputSpec(1, 16, 16)),
        (open_source(photograph_folder, CROPPED, None), CROPPED),
    ):
        images = open_images(source, spec, True, 0, CPU, workers=0)
        ((pixels, _),) = images.batches(STEPS[:1], epoch=None)
        np.testing.assert_array_equal(pixels[1].numpy(), source.image(0))
        ((augmented, _),) = images.batches(STEPS[:1], epoch=0)
        assert augmented.shape == pixels.shape
        assert not torch.equal(augmented, pixels)


def test_a_crop_depends_on_epoch_and_image_alone(photograph_folder: Path) -> None:
    """Not on the workers, nor on which images share its batch."""
    source = open_source(photograph_folder, CROPPED, None)

    def crops(workers: int, steps: list[np.ndarray], epoch: int, seed: int = 0) -> torch.Tensor:
        images = open_images(source, CROPPED, True, seed, CPU, workers)
        assert isinstance(images, PhotographImages)
        batches = [pixels for pixels, _ in images.batches(steps, epoch)]
        return torch.cat(batches)

    alone = crops(0, STEPS, 0)
    assert torch.equal(alone, crops(2, STEPS, 0))
    assert torch.equal(alone, crops(0, [np.array([3, 0]), np.array([11, 7, 5])], 0))
    assert not torch.equal(alone, crops(0, STEPS, 1))
    assert not torch.equal(alone, crops(0, STEPS, 0, seed=1))


@pytest.mark.parametrize("workers", [0, 2])
def test_a_damaged_photograph_is_named_in_one_line(photograph_folder: Path, workers: int) -> None:
    damaged = photograph_folder / "red" / "2.jpg"
    damaged.write_bytes(damaged.read_bytes()[:500])
    source = open_source(photograph_folder, CROPPED, None)
    images = open_images(source, CROPPED, True, 0, CPU, workers)
    with pytest.raises(InputError, match=r"2\.jpg: cannot be decoded") as caught:
        list(images.batches([np.arange(12)], 0))
    assert "\n" not in str(caught.value)


def test_photographs_of_the_networks_size_are_kept_in_memory(photograph_folder: Path) -> None:
    spec = InputSpec(3, 80, 96)
    source = open_source(photograph_folder, spec, None)
    assert isinstance(open_images(source, spec, True, 0, CPU, 0), MemoryImages)
