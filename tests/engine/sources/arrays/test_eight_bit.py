from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.sources.arrays.eight_bit import to_bytes

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 5, 4, 3)).astype(np.uint8)
EVERY = np.arange(256, dtype=np.uint8).reshape(4, 8, 8)


def test_bytes_are_as_they_are() -> None:
    found, scale = to_bytes(PIXELS, "x")
    assert found is PIXELS
    assert scale is None


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", ">f4"])
@pytest.mark.parametrize("scale", ["k", "k/255"])
def test_every_pixel_comes_back_from_floats(dtype: str, scale: str) -> None:
    """However it was divided: rounding of the type is no matter."""
    exact = EVERY.astype(np.float64)
    made = [exact] if scale == "k" else [exact / 255, exact * (1 / 255), 1 - (255 - exact) / 255]
    for images in made:
        found, told = to_bytes(images.astype(dtype), "x")
        assert told == scale
        assert found.dtype == np.uint8
        np.testing.assert_array_equal(found, EVERY)


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_pixels_that_were_multiplied_by_255_again(dtype: str) -> None:
    shares = EVERY.astype(dtype) * np.dtype(dtype).type(1 / 255)
    found, told = to_bytes(shares * np.dtype(dtype).type(255), "x")
    assert told == "k"
    np.testing.assert_array_equal(found, EVERY)


@pytest.mark.parametrize("dtype", ["int64", "int8", "float32"])
def test_zeros_and_ones_may_be_either(dtype: str) -> None:
    with pytest.raises(InputError, match="all its values are 0 or 1"):
        to_bytes((PIXELS > 99).astype(dtype), "x")


def test_float32_arithmetic_and_its_copies_in_float64() -> None:
    in_float32 = PIXELS.astype(np.float32)
    for images in (in_float32 / np.float32(255), in_float32 * np.float32(1 / 255)):
        for kept in (images, images.astype(np.float64)):
            np.testing.assert_array_equal(to_bytes(kept, "x")[0], PIXELS)


@pytest.mark.parametrize("dtype", ["int8", "int16", "uint16", "int32", "int64", ">i4"])
def test_integers_are_pixels(dtype: str) -> None:
    images = PIXELS // 2  # int8 holds no more
    found, scale = to_bytes(images.astype(dtype), "x")
    assert scale == "k"
    np.testing.assert_array_equal(found, images)


def off(value: float, dtype: str = "float32", scale: float = 1.0) -> npt.NDArray[Any]:
    images = (PIXELS * scale).astype(dtype)
    images[4, 0, 1, 2] = value
    return images


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (off(0.5, scale=1 / 255), r"image 4 has the value 0\.5, nearest to 128/255: .* 8-bit"),
        (off(0.50199, scale=1 / 255), "image 4 has the value 0.50199, nearest to 128/255"),
        (off(1e-5, "float64", 1 / 255), "image 4 has the value 1e-05, nearest to 0/255"),
        (off(0.41, "float16", 1 / 255), "image 4 has the value 0.409912, nearest to 105/255"),
        (
            off(128.25),
            r"its pixels are 0\.\.255, and image 4 has the value 128\.25, nearest to 128",
        ),
        (off(-0.5, scale=1 / 255), "its pixels are -0.5..1 .*normalised already"),
        (off(2.6, scale=1 / 255), r"its pixels are 0\.\.2\.6, and image 0 has the value"),
        (off(300.0), r"its pixels are 0\.\.300 .*normalised already.*--mean and --std"),
        (off(np.nan), "image 4 has a value that is no finite number"),
        (off(np.inf), "image 4 has a value that is no finite number"),
        (off(256, "uint16"), r"its pixels are 0\.\.256 \(uint16\): expected 8-bit"),
        (off(-1, "int16"), r"its pixels are -1\.\.255 \(int16\)"),
        (PIXELS.astype(np.float32) * 2 / 255 - 1, r"its pixels are -1\.\.1 .*normalised already"),
        (PIXELS > 99, "images are true or false"),
        ((PIXELS > 99).astype(np.float32), "all its values are 0 or 1 .*save them as uint8"),
    ],
)
def test_what_is_off_the_grid_is_refused(images: npt.NDArray[Any], message: str) -> None:
    with pytest.raises(InputError, match=f"x.npz: .*{message}") as caught:
        to_bytes(images, "x.npz")
    assert "\n" not in str(caught.value)


def test_black_is_black_on_any_scale() -> None:
    found, _ = to_bytes(np.zeros((2, 3, 3), np.float32), "x")
    assert not found.any()


def test_large_arrays_are_read_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("smoothcert.engine.sources.arrays.eight_bit._BLOCK", 100)
    np.testing.assert_array_equal(to_bytes(PIXELS / 255, "x")[0], PIXELS)
    with pytest.raises(InputError, match=r"image 4 has the value 0\.5,"):
        to_bytes(off(0.5, scale=1 / 255), "x")
    with pytest.raises(InputError, match="image 4 has a value that is no finite"):
        to_bytes(off(np.nan), "x")


def test_what_is_no_image_is_left_to_others() -> None:
    for images in (np.array(3), np.array(["a"]), np.zeros((0, 4, 4))):
        assert to_bytes(images, "x")[0] is images
