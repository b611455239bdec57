"""Settings of a build: bounds, and the batch that is taken without one."""

from typing import Any

import pytest

from smoothcert.engine.backends.device.network import default_batch
from smoothcert.engine.backends.tensorrt.options import BuildOptions
from smoothcert.engine.base.errors import InputError


@pytest.mark.parametrize(
    ("row_bytes", "batch"),
    [
        (3 * 224 * 224 * 2, 256),  # ImageNet, half precision: 77 MB
        (3 * 224 * 224 * 4, 128),
        (3 * 32 * 32 * 4, 2048),  # no more, however small a row
        (80 * 2**20 // 64, 64),
        (80 * 2**20 // 64 + 1, 32),
        (2**30, 32),  # no fewer, however large
    ],
)
def test_the_batch_goes_by_the_input(row_bytes: int, batch: int) -> None:
    assert default_batch(row_bytes) == batch


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"batch": 0}, "batch 0 is out of range: expected 1 <= batch"),
        ({"optimization_level": 6}, "optimization-level 6 .* 0 <= optimization-level <= 5"),
        ({"optimization_level": -1}, "optimization-level -1"),
        ({"workspace": 0}, "workspace 0"),
        ({"aux_streams": -1}, "aux-streams -1"),
        ({"compatibility": "all"}, "compatibility 'all' is unknown: expected one of none"),
    ],
)
def test_what_no_builder_takes_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        BuildOptions(**given)


def test_what_is_left_open_is_not_described() -> None:
    described = BuildOptions(targets=("sm80",), optimization_level=0).describe()
    assert described["optimization_level"] == 0
    assert "batch" not in described
    assert described["targets"] == ["sm80"]
