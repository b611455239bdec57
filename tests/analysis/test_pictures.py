import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from smoothcert.analysis.pictures import contact_sheet, file_name, noisy_image, write_pictures
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.noise.lattice import LatticeGaussian

GREY = np.random.default_rng(0).integers(0, 256, (1, 28, 28)).astype(np.uint8)
COLOUR = np.random.default_rng(1).integers(0, 256, (3, 20, 30)).astype(np.uint8)


def test_the_noise_is_the_engines() -> None:
    """Purpose 4 (pictures), sample 0 of the image's own stream, in CHW order, then clipped."""
    noise = LatticeGaussian(0.25).sample(9, 17, 0, 1, COLOUR.size, 4).reshape(COLOUR.shape)
    expected = np.clip(COLOUR.astype(int) + noise, 0, 255)
    np.testing.assert_array_equal(noisy_image(COLOUR, 17, 0.25, seed=9), expected)
    assert not np.array_equal(noisy_image(COLOUR, 18, 0.25, seed=9), expected)
    assert not np.array_equal(noisy_image(COLOUR, 17, 0.25, seed=8), expected)


def test_no_noise_is_the_image() -> None:
    np.testing.assert_array_equal(noisy_image(GREY, 0, 0.0), GREY)


def test_levels_differ_in_amplitude_only() -> None:
    grey = np.full((1, 50, 50), 128, dtype=np.uint8)
    low = noisy_image(grey, 0, 0.05).astype(int) - 128
    high = noisy_image(grey, 0, 0.1).astype(int) - 128
    assert np.abs(high - 2 * low).max() <= 2
    assert low.std() == pytest.approx(0.05 * 255, rel=0.05)


def test_names_are_the_originals() -> None:
    assert [file_name(7, sigma) for sigma in (0, 0.12, 0.25, 0.5, 1.0)] == [
        "7_0.png", "7_12.png", "7_25.png", "7_50.png", "7_100.png",
    ]  # fmt: skip


@pytest.mark.parametrize("image", [GREY, COLOUR])
def test_pictures_hold_the_pixels(image: np.ndarray, tmp_path: Path) -> None:
    paths = write_pictures(image, 3, [0, 0.25], tmp_path / "new" / "folder", "x")
    assert [path.name for path in paths] == ["3_0.png", "3_25.png", "3_sheet.png"]
    for path, sigma in zip(paths, (0, 0.25), strict=False):
        pixels = np.asarray(Image.open(path))
        planes = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
        np.testing.assert_array_equal(planes, noisy_image(image, 3, sigma))


def test_the_sheet_enlarges_small_images_by_whole_pixels() -> None:
    picture = Image.fromarray(GREY[0])
    sheet = np.asarray(contact_sheet("title", [("no noise", picture)]))
    enlarged = np.kron(GREY[0], np.ones((6, 6), dtype=np.uint8))
    height, width = enlarged.shape
    places = [
        (top, left)
        for top in range(sheet.shape[0] - height + 1)
        for left in range(sheet.shape[1] - width + 1)
        if np.array_equal(sheet[top : top + height, left : left + width, 0], enlarged)
    ]
    assert len(places) == 1


def test_the_sheet_is_labelled_and_wraps() -> None:
    picture = Image.fromarray(np.full((40, 40), 255, dtype=np.uint8))
    one = contact_sheet("t", [("sigma 0.25", picture)])
    assert np.asarray(one).min() < 64  # on white pictures, only text is dark
    other = contact_sheet("t", [("sigma 0.50", picture)])
    assert np.asarray(one).tobytes() != np.asarray(other).tobytes()
    six, seven = (contact_sheet("t", [("a", picture)] * count) for count in (6, 7))
    assert seven.width == six.width
    assert seven.height > six.height


def test_a_photograph_is_not_enlarged() -> None:
    picture = Image.fromarray(np.zeros((224, 224, 3), dtype=np.uint8))
    assert contact_sheet("t", [("a", picture), ("b", picture)]).width < 2 * 224 + 60


def test_nothing_is_overwritten_unless_forced(tmp_path: Path) -> None:
    write_pictures(GREY, 3, [0.25], tmp_path, "x")
    content = (tmp_path / "3_25.png").read_bytes()
    write_pictures(GREY, 3, [0.25], tmp_path, "x")  # the same again is no conflict
    with pytest.raises(InputError, match=r"3_25\.png exists and differs"):
        write_pictures(GREY, 3, [0.5, 0.25], tmp_path, "x", seed=1)
    assert (tmp_path / "3_25.png").read_bytes() == content
    assert not (tmp_path / "3_50.png").exists()
    write_pictures(GREY, 3, [0.25], tmp_path, "x", seed=1, force=True)
    assert (tmp_path / "3_25.png").read_bytes() != content


def test_sigmas_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"sigma 0.25 and sigma 0.255 would both .* 3_25\.png"):
        write_pictures(GREY, 3, [0.25, 0.255], tmp_path, "x")


@pytest.mark.parametrize("sigma", [-0.1, 5.0, float("nan")])
def test_a_sigma_out_of_range_is_refused(sigma: float, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"sigma .* is out of range"):
        write_pictures(GREY, 3, [sigma], tmp_path, "x")


def test_two_channels_are_no_picture(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="2 channels: expected 1"):
        write_pictures(np.zeros((2, 4, 4), dtype=np.uint8), 0, [0], tmp_path, "x")


def test_a_sheet_is_a_png() -> None:
    buffer = io.BytesIO()
    contact_sheet("t", [("a", Image.fromarray(COLOUR.transpose(1, 2, 0).copy()))]).save(
        buffer, "PNG"
    )
    assert Image.open(buffer).mode == "RGB"
