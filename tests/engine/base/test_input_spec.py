"""The input spec: affine, metadata round trip, refusals."""

import math
from typing import Any

import numpy as np
import pytest

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.input_spec import InputSpec


def test_affine_folds_levels_mean_and_std() -> None:
    scale, shift = InputSpec(3, 4, 4, (0.5, 0.4, 0.3), (0.2, 0.25, 0.5)).affine()
    assert scale.dtype == shift.dtype == np.float32
    for pixel in (0, 17, 255):
        expected = (pixel / 255 - np.array([0.5, 0.4, 0.3])) / np.array([0.2, 0.25, 0.5])
        assert np.allclose(scale * pixel + shift, expected, atol=1e-6)
    scale, shift = InputSpec(1, 4, 4).affine()
    assert scale.tolist() == [np.float32(1 / 255)]
    assert shift.tolist() == [0.0]


def test_metadata_round_trip() -> None:
    for spec in (
        InputSpec(1, 28, 28),
        InputSpec(3, 224, 224, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), 256, "bicubic"),
    ):
        assert InputSpec.from_metadata(spec.to_metadata()) == spec


def test_photograph_sized_models_resize_by_default() -> None:
    assert InputSpec.of_shape(3, 224, 224).resize == 256
    assert InputSpec.of_shape(3, 32, 32).resize is None
    assert InputSpec.of_shape(3, 384, 384).resize is None
    assert InputSpec.of_shape(3, 224, 224).num_pixels == 150_528


@pytest.mark.parametrize(
    "fields",
    [
        {"channels": 0},
        {"mean": (0.5,)},
        {"std": (0.5, 0.0, 0.5)},
        {"mean": (0.5, math.nan, 0.5)},
        {"resize": 100},
        {"interpolation": "nearest"},
    ],
)
def test_impossible_inputs_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="expected"):
        InputSpec(**{"channels": 3, "height": 224, "width": 224, **fields})


@pytest.mark.parametrize("metadata", [{}, {"input_shape": "x"}, {"input_shape": [3, 2]}])
def test_bad_metadata_is_refused(metadata: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="does not describe"):
        InputSpec.from_metadata(metadata)
