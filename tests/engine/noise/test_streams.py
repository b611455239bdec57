"""Addresses of randomness: what a row's counter words are, and which seeds there are."""

import numpy as np
import pytest

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.noise.streams import REFINEMENT, Purpose, check_seed, counters


def test_counters_are_sample_image_and_purpose() -> None:
    words = counters(np.arange(3) + 2**32 - 3, np.array([7, 8, 7]), Purpose.PILOT)
    assert words.dtype == np.uint32
    assert words.flags.c_contiguous
    assert words.tolist() == [[2**32 - 3, 2**32 - 2, 2**32 - 1], [7, 8, 7], [3, 3, 3]]
    assert counters(np.empty(0, np.int64), 0, 0).shape == (3, 0)


def test_a_refinement_stream_is_no_other_purpose_s() -> None:
    assert all(0 <= purpose < REFINEMENT for purpose in Purpose)


@pytest.mark.parametrize("seed", [-1, 2**64])
def test_a_seed_has_64_bits(seed: int) -> None:
    assert check_seed(0) == 0
    assert check_seed(2**64 - 1) == 2**64 - 1
    with pytest.raises(InputError, match=f"seed {seed} is out of range"):
        check_seed(seed)
