"""Randomness of an epoch: every draw is a function of (seed, epoch, process), never of the past,
so a resumed run draws what an uninterrupted one would have drawn."""

from enum import IntEnum

import numpy as np
import numpy.typing as npt
import torch

from smoothcert.engine.base.errors import InputError


class Stream(IntEnum):
    """What random numbers are drawn for: disjoint streams of one seed."""

    WEIGHTS = 0
    ORDER = 1
    TRAINING = 2
    TEST = 3
    CROP = 4


def generator(seed: int, stream: Stream, *of: int) -> np.random.Generator:
    """The generator of a stream, for an epoch, a process or an image."""
    return np.random.default_rng([seed, stream, *of])


def seed_torch(seed: int, stream: Stream, *of: int) -> None:
    """Seed torch's global generators, those of the GPUs too, for a stream."""
    torch.manual_seed(int(generator(seed, stream, *of).integers(2**63)))


def training_steps(
    seed: int, epoch: int, images: int, batch: int, world: int
) -> list[npt.NDArray[np.int64]]:
    """The image indices of each step of an epoch, of all `world` processes together.

    Every image comes once, but for a last batch with fewer than two images per process, which
    batch normalisation cannot take: it is left out. Raises InputError where there is no step.
    """
    shuffled = generator(seed, Stream.ORDER, epoch).permutation(images)
    steps = [shuffled[first : first + batch] for first in range(0, images, batch)]
    steps = [step for step in steps if len(step) >= 2 * world]
    if not steps:
        raise InputError(
            f"{images} images in batches of {batch} are too few for {world} processes: expected at "
            "least two images per process in a batch"
        )
    return steps


def evaluation_steps(images: int, batch: int, rank: int, world: int) -> list[npt.NDArray[np.int64]]:
    """Process `rank`'s share of all image indices, in order, in batches."""
    own = np.arange(rank, images, world)
    return [own[first : first + batch] for first in range(0, len(own), batch)]
