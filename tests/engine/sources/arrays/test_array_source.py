from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.engine.sources.arrays.array_source import ArraySource

FILES = [Path("x.npz")]
RNG = np.random.default_rng(0)


def random_images(*shape: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return RNG.integers(0, 256, shape).astype(np.uint8)


def source(images: np.ndarray[Any, Any], spec: InputSpec, labels: Any = None) -> ArraySource:
    labels = np.zeros(len(images), dtype=np.int64) if labels is None else np.array(labels)
    return ArraySource("npz", "x.npz", FILES, images, labels, spec, 10)


def test_pixels_are_delivered_as_they_are() -> None:
    images = random_images(3, 5, 7, 3)
    got = source(images, InputSpec(3, 5, 7)).image(1)
    for c in range(3):
        np.testing.assert_array_equal(got[c], images[1, :, :, c])
    assert got.flags.c_contiguous


def test_grey_with_and_without_a_channel() -> None:
    images = random_images(3, 5, 7)
    spec = InputSpec(1, 5, 7)
    np.testing.assert_array_equal(source(images, spec).image(2), images[2][None])
    np.testing.assert_array_equal(source(images[..., None], spec).image(2), images[2][None])


def test_what_is_delivered_is_a_copy() -> None:
    images = random_images(1, 5, 7)
    before = images.copy()
    source(images, InputSpec(1, 5, 7)).image(0)[:] = 0
    np.testing.assert_array_equal(images, before)


def test_any_number_of_channels() -> None:
    images = random_images(2, 5, 7, 4)
    assert source(images, InputSpec(4, 5, 7)).image(0).shape == (4, 5, 7)


def test_photographs_of_another_size_are_resized_and_cropped() -> None:
    images = random_images(2, 40, 50, 3)
    # 32*50/40 = 40; left (40-28)/2 = 6; top (32-28)/2 = 2
    expected = Image.fromarray(images[1]).resize((40, 32), Image.Resampling.BILINEAR)
    got = source(images, InputSpec(3, 28, 28, resize=32)).image(1)
    np.testing.assert_array_equal(got.transpose(1, 2, 0), expected.crop((6, 2, 34, 30)))


def test_grey_arrays_are_resized_too() -> None:
    images = random_images(2, 40, 40)
    expected = Image.fromarray(images[1]).resize((32, 32), Image.Resampling.BICUBIC)
    spec = InputSpec(1, 28, 28, resize=32, interpolation="bicubic")
    got = source(images, spec).image(1)
    np.testing.assert_array_equal(got[0], expected.crop((2, 2, 30, 30)))


def test_images_of_the_models_size_are_not_resized() -> None:
    images = random_images(2, 28, 28)
    got = source(images, InputSpec(1, 28, 28, resize=32)).image(1)
    np.testing.assert_array_equal(got[0], images[1])


@pytest.mark.parametrize(
    ("shape", "spec", "message"),
    [
        ((2, 28, 28), InputSpec(3, 28, 28), "28x28x1 .* expected 3 channels, arrays are not conv"),
        ((2, 28, 28, 3), InputSpec(1, 28, 28), "expected 1 channels"),
        ((2, 28, 28), InputSpec(1, 32, 32), "model's input is 32x32x1.*give --resize 32"),
        ((2, 3, 32, 32), InputSpec(3, 32, 32), "expected channels last; transpose"),
        ((2, 1, 28, 28), InputSpec(1, 28, 28), "expected channels last; transpose"),
        ((2, 0, 28, 3), InputSpec(3, 28, 28), "0x28x3"),
        ((2, 30, 30, 4), InputSpec(4, 28, 28, resize=32), "has 4 channels"),
        ((2, 28), InputSpec(1, 28, 28), r"uint8 \[2, 28\]: expected uint8 \[N, H, W, C\]"),
        ((), InputSpec(1, 28, 28), r"expected uint8 \[N, H, W, C\]"),
    ],
)
def test_shapes_that_do_not_fit_the_model(
    shape: tuple[int, ...], spec: InputSpec, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        ArraySource("npz", "x", FILES, random_images(*shape), np.zeros(2, int), spec, 10)


@pytest.mark.parametrize("dtype", ["float32", "int64", "bool", "uint16", "int8"])
def test_pixels_are_bytes(dtype: str) -> None:
    with pytest.raises(InputError, match=f"images are {dtype} .*expected uint8"):
        source(np.zeros((2, 4, 4), dtype), InputSpec(1, 4, 4))


def test_one_label_per_image() -> None:
    with pytest.raises(InputError, match="3 images but 2 labels"):
        source(random_images(3, 4, 4), InputSpec(1, 4, 4), labels=[0, 1])


def test_labels_are_checked() -> None:
    with pytest.raises(InputError, match="image 1 has label 10"):
        source(random_images(2, 4, 4), InputSpec(1, 4, 4), labels=[0, 10])
    assert source(random_images(2, 4, 4), InputSpec(1, 4, 4), labels=[0, 9]).label(1) == 9


def test_without_a_model_images_keep_their_size() -> None:
    labels = np.zeros(2, dtype=np.int64)
    for shape, expected in (((2, 5, 7), (1, 5, 7)), ((2, 7, 5, 3), (3, 7, 5))):
        images = random_images(*shape)
        own = ArraySource("npz", "x.npz", FILES, images, labels, None, None)
        assert own.image(1).shape == expected
        np.testing.assert_array_equal(own.image(1)[0], images[1].reshape(*expected[1:], -1)[..., 0])


def test_without_a_model_channels_must_come_last_too() -> None:
    labels = np.zeros(2, dtype=np.int64)
    with pytest.raises(InputError, match="images are 3x32x32 by their last dimensions"):
        ArraySource("npz", "x.npz", FILES, random_images(2, 3, 32, 32), labels, None, None)
