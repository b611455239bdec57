"""Addresses of randomness: what a row's counter words are, and which seeds there are."""

import random

import numpy as np
import pytest

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.noise.streams import (
    REFINEMENT,
    Purpose,
    check_seed,
    counters,
    fresh_seed,
)


def test_counters_are_sample_image_and_purpose() -> None:
    words = counters(np.arange(3) + 2**32 - 3, np.array([7, 8, 7]), Purpose.PILOT)
    assert words.dtype == np.uint32
    assert words.flags.c_contiguous
    assert words.tolist() == [[2**32 - 3, 2**32 - 2, 2**32 - 1], [7, 8, 7], [3, 3, 3]]
    assert counters(np.empty(0, np.int64), 0, 0).shape == (3, 0)


def test_purposes_keep_their_numbers() -> None:
    """Another number is other noise: logs of today would no longer be drawn again."""
    assert {purpose.name: int(purpose) for purpose in Purpose} == {
        "SELECTION": 0,
        "ESTIMATION": 1,
        "PREDICTION": 2,
        "PILOT": 3,
        "VISUALISATION": 4,
        "DISAGREEMENT": 5,
        "CALIBRATION": 6,
        "PARITY": 7,
    }


def test_a_refinement_stream_is_no_other_purpose_s() -> None:
    assert REFINEMENT == 128
    assert all(0 <= purpose < REFINEMENT for purpose in Purpose)


@pytest.mark.parametrize("seed", [-1, 2**64])
def test_a_seed_has_64_bits(seed: int) -> None:
    assert check_seed(0) == 0
    assert check_seed(2**64 - 1) == 2**64 - 1
    with pytest.raises(InputError, match=f"seed {seed} is out of range"):
        check_seed(seed)


def test_a_fresh_seed_is_nobodys() -> None:
    """All 64 bits are drawn, and no generator that a program may have seeded draws them."""
    drawn = []
    for _ in range(64):
        random.seed(0)
        np.random.seed(0)  # noqa: NPY002
        drawn.append(check_seed(fresh_seed()))
    assert len(set(drawn)) == 64
    for bit in range(64):
        assert len({seed >> bit & 1 for seed in drawn}) == 2
