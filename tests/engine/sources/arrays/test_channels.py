from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.engine.sources.arrays.channels import channels_last


def numbered(*shape: int) -> npt.NDArray[Any]:
    return np.arange(np.prod(shape)).reshape(shape)


@pytest.mark.parametrize(
    ("shape", "spec", "expected"),
    [
        ((5, 8, 7, 3), InputSpec(3, 8, 7), None),
        ((5, 3, 8, 7), InputSpec(3, 8, 7), "NCHW"),
        ((5, 1, 8, 7), InputSpec(1, 8, 7), "NCHW"),
        ((5, 4, 8, 7), InputSpec(4, 8, 7), "NCHW"),
        ((5, 3, 20, 17), InputSpec(3, 8, 7, resize=9), "NCHW"),
        ((5, 20, 17, 3), InputSpec(3, 8, 7, resize=9), None),
        ((5, 3, 8, 3), InputSpec(3, 3, 8), None),  # only that end fits
        ((5, 3, 8, 3), InputSpec(3, 8, 3), "NCHW"),
        ((5, 3, 8, 3), InputSpec(3, 3, 8, resize=9), None),  # as it is, and not resized
        ((5, 20, 17, 3), InputSpec(1, 8, 7), None),  # fits nothing: ArraySource will say so
        ((5, 8, 7), InputSpec(1, 8, 7), None),
        ((5, 3, 8, 7), None, "NCHW"),
        ((5, 8, 7, 3), None, None),
        ((5, 3, 8, 3), None, None),
    ],
)
def test_the_end_that_fits(
    shape: tuple[int, ...], spec: InputSpec | None, expected: str | None
) -> None:
    images = numbered(*shape)
    found, layout = channels_last(images, 5, spec, "x")
    assert layout == expected
    as_last = images if expected is None else np.moveaxis(images, 1, -1)
    np.testing.assert_array_equal(found, as_last)


@pytest.mark.parametrize(
    ("shape", "spec"),
    [
        ((5, 3, 3, 3), InputSpec(3, 3, 3)),
        ((5, 1, 1, 1), InputSpec(1, 1, 1)),
        ((5, 3, 20, 3), InputSpec(3, 8, 8, resize=9)),
    ],
)
def test_two_ends_that_fit_are_refused(shape: tuple[int, ...], spec: InputSpec) -> None:
    with pytest.raises(InputError, match="either end may be the channels"):
        channels_last(numbered(*shape), 5, spec, "x")


def test_one_image() -> None:
    spec = InputSpec(3, 8, 7)
    for image, layout in ((numbered(8, 7, 3), "one image"), (numbered(3, 8, 7), "NCHW")):
        found, said = channels_last(image, 1, spec, "x")
        assert (found.shape, said) == ((1, 8, 7, 3), layout)
        unlabelled, _ = channels_last(image, None, spec, "x")
        np.testing.assert_array_equal(unlabelled, found)
    grey, said = channels_last(numbered(8, 7), 1, InputSpec(1, 8, 7), "x")
    assert (grey.shape, said) == ((1, 8, 7), "one image")
    assert channels_last(numbered(1, 8, 7), 1, InputSpec(1, 8, 7), "x")[1] is None


def test_rows_of_grey_pixels() -> None:
    images = numbered(5, 56)
    found, said = channels_last(images, 5, InputSpec(1, 8, 7), "x")
    assert said == "rows"
    np.testing.assert_array_equal(found, images.reshape(5, 8, 7))
    colour = numbered(5, 3 * 56)
    assert channels_last(colour, 5, InputSpec(3, 8, 7), "x") == (colour, None)
