"""Images on their way to the network: an array held in memory, or photographs read by workers."""

import math
from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import DataLoader, Dataset

from smoothcert.engine.base.errors import InputError, one_line
from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.engine.base.memory import check_fits
from smoothcert.engine.sources import ImageSource, PhotographSource
from smoothcert.engine.sources.base import UNREADABLE
from smoothcert.engine.sources.photograph import to_array
from smoothcert.training.augmentation import crop_and_flip, random_resized_crop
from smoothcert.training.order import Stream, generator

Indices = Sequence[npt.NDArray[np.int64]]
Batch = tuple[torch.Tensor, torch.Tensor]
"""uint8 [N, C, H, W] and class indices int64 [N], on the device of the training."""


class Images(Protocol):
    """Labelled images that come in batches."""

    def __len__(self) -> int:
        """The number of images."""
        ...

    def batches(self, indices: Indices, epoch: int | None) -> Iterator[Batch]:
        """The images of each step, with the augmentation of `epoch` (None: as they are).

        Raises InputError where an image cannot be decoded.
        """
        ...


def open_images(
    source: ImageSource,
    spec: InputSpec,
    augment: bool,
    seed: int,
    device: torch.device,
    workers: int,
) -> Images:
    """The images of a source, with or without augmentation.

    Photographs that are resized come from the disk anew each epoch, by random resized crops; all
    other images are decoded once, and augmented by crop_and_flip.
    """
    if spec.resize is not None and isinstance(source, PhotographSource):
        return PhotographImages(source, spec, augment, seed, device, workers)
    return MemoryImages(source, augment, device)


class MemoryImages:
    """All images of a source as one uint8 tensor on the device."""

    def __init__(self, source: ImageSource, augment: bool, device: torch.device) -> None:
        shape = (len(source), *source.image(0).shape)
        check_fits(math.prod(shape), f"images {list(shape)}, which are kept,", "fewer or smaller")
        pixels = np.empty(shape, dtype=np.uint8)
        for index in range(len(source)):
            pixels[index] = source.image(index)
        self._images = torch.from_numpy(pixels).to(device)
        self._labels = torch.tensor(list(map(source.label, range(len(source))))).to(device)
        self._augment = augment

    def __len__(self) -> int:
        """The number of images."""
        return len(self._images)

    def batches(self, indices: Indices, epoch: int | None) -> Iterator[Batch]:
        """See Images.batches; crops are drawn from torch's global generators."""
        for chosen in indices:
            index = torch.from_numpy(chosen).to(self._images.device)
            images = self._images[index]
            if self._augment and epoch is not None:
                images = crop_and_flip(images)
            yield images, self._labels[index]


class PhotographImages:
    """Photographs decoded by worker processes. A crop is a function of (seed, epoch, image)."""

    def __init__(
        self,
        source: PhotographSource,
        spec: InputSpec,
        augment: bool,
        seed: int,
        device: torch.device,
        workers: int,
    ) -> None:
        self._source = source
        self._spec = spec
        self._augment = augment
        self._seed = seed
        self._device = device
        self._workers = workers

    def __len__(self) -> int:
        """The number of photographs."""
        return len(self._source)

    def batches(self, indices: Indices, epoch: int | None) -> Iterator[Batch]:
        """See Images.batches."""
        steps = _Steps(
            self._source, self._spec, indices, self._seed, epoch if self._augment else None
        )
        # The data set's items are whole batches already (batch_size=None).
        loader: DataLoader[Batch | InputError] = DataLoader(
            steps,
            batch_size=None,
            num_workers=self._workers,
            pin_memory=self._device.type == "cuda",
        )
        for loaded in loader:
            if isinstance(loaded, InputError):
                raise loaded
            images, labels = loaded
            yield (
                images.to(self._device, non_blocking=True),
                labels.to(self._device, non_blocking=True),
            )


class _Steps(Dataset[Batch | InputError]):
    """The batches of an epoch. What is wrong with a photograph is returned, not raised: a worker's
    exception would reach the user as its traceback."""

    def __init__(
        self,
        source: PhotographSource,
        spec: InputSpec,
        indices: Indices,
        seed: int,
        epoch: int | None,
    ) -> None:
        self._source = source
        self._spec = spec
        self._indices = indices
        self._seed = seed
        self._epoch = epoch

    def __len__(self) -> int:
        return len(self._indices)

    def __getitem__(self, step: int) -> Batch | InputError:
        chosen = self._indices[step].tolist()
        try:
            pixels = np.stack([self._pixels(index) for index in chosen])
        except UNREADABLE as error:
            return error if isinstance(error, InputError) else InputError(one_line(error, None))
        labels = torch.tensor(list(map(self._source.label, chosen)))
        return torch.from_numpy(pixels), labels

    def _pixels(self, index: int) -> npt.NDArray[np.uint8]:
        if self._epoch is None:
            return self._source.image(index)
        rng = generator(self._seed, Stream.CROP, self._epoch, index)
        height, width = self._spec.height, self._spec.width
        return to_array(random_resized_crop(self._source.whole(index), height, width, rng))
