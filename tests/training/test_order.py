import numpy as np
import pytest
import torch

from smoothcert.engine.base.errors import InputError
from smoothcert.training.order import (
    Stream,
    evaluation_steps,
    generator,
    seed_torch,
    training_steps,
)


def test_every_image_comes_once_in_an_order_of_the_epoch() -> None:
    first = training_steps(0, 0, 103, 10, world=1)
    assert [len(step) for step in first] == [10] * 10 + [3]
    assert sorted(np.concatenate(first).tolist()) == list(range(103))
    again, later, other = (
        np.concatenate(training_steps(seed, epoch, 103, 10, world=1))
        for seed, epoch in ((0, 0), (0, 1), (1, 0))
    )
    np.testing.assert_array_equal(np.concatenate(first), again)
    assert not np.array_equal(again, later)
    assert not np.array_equal(again, other)


def test_a_last_batch_too_small_for_batch_norm_is_left_out() -> None:
    assert [len(step) for step in training_steps(0, 0, 21, 10, world=1)] == [10, 10]
    assert [len(step) for step in training_steps(0, 0, 23, 10, world=2)] == [10, 10]
    with pytest.raises(InputError, match="3 images in batches of 8 are too few for 2 processes"):
        training_steps(0, 0, 3, 8, world=2)


def test_processes_share_the_test_images() -> None:
    shares = [np.concatenate(evaluation_steps(23, 4, rank, 3)) for rank in range(3)]
    assert sorted(np.concatenate(shares).tolist()) == list(range(23))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_streams_are_disjoint() -> None:
    keys: list[tuple[Stream, tuple[int, ...]]] = [
        (Stream.WEIGHTS, ()),
        (Stream.ORDER, (0,)),
        (Stream.TRAINING, (0, 0)),
        (Stream.TRAINING, (0, 1)),
        (Stream.TRAINING, (1, 0)),
        (Stream.TEST, (0, 0)),
        (Stream.CROP, (0, 0)),
    ]
    draws = {int(generator(5, stream, *of).integers(2**63)) for stream, of in keys}
    assert len(draws) == len(keys)


def test_torch_draws_what_the_stream_says() -> None:
    seed_torch(0, Stream.TRAINING, 3, 0)
    first = torch.randn(4)
    torch.randn(7)
    seed_torch(0, Stream.TRAINING, 3, 0)
    assert torch.equal(first, torch.randn(4))
