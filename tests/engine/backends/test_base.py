"""What all backends share: votes, buffers, names."""

import numpy as np
import pytest

from smoothcert.engine.backends.base import NO_VOTE, aligned_zeros, runtime_name, votes_of


def test_votes_go_to_the_largest_logit_ties_to_the_lowest_class() -> None:
    logits = np.array([[1, 3, 2], [5, 5, 1], [0, 0, 0], [-3, -1, -1]], np.float32)
    assert votes_of(logits).tolist() == [1, 0, 0, 1]
    assert votes_of(logits).dtype == np.int32


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_row_that_is_not_finite_has_no_vote(bad: float, place: int) -> None:
    logits = np.array([[1, 3, 2], [9, 1, 1]], np.float32)
    logits[0, place] = bad
    assert votes_of(logits).tolist() == [NO_VOTE, 0]


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.int8])
def test_buffers_begin_on_a_cache_line(dtype: type) -> None:
    for rows in range(1, 6):
        buffer = aligned_zeros((rows, 7), dtype)
        assert (buffer.shape, buffer.dtype) == ((rows, 7), np.dtype(dtype))
        assert buffer.ctypes.data % 64 == 0
        assert not buffer.any()


def test_a_runtime_s_name_is_without_its_version() -> None:
    assert runtime_name({"runtime": "onnxruntime 1.32.0", "batch": 4}) == "onnxruntime"
    assert runtime_name({"runtime": "torch"}) == "torch"
