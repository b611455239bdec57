import io
import struct
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.engine.sources import photograph

IMAGENET = InputSpec(3, 224, 224, resize=256)
BILINEAR = Image.Resampling.BILINEAR
BICUBIC = Image.Resampling.BICUBIC

# (width, height), the size after Resize, and the box of the crop; each worked out by hand from
# torchvision's rules: long side = floor(size * long / short), offset = round half to even of half
# the difference.
GEOMETRY = [
    # 256*500/375 = 341.33 -> 341; (341-224)/2 = 58.5 -> 58, half to even goes down
    ((500, 375), (341, 256), (58, 16, 282, 240)),
    ((375, 500), (256, 341), (16, 58, 240, 282)),
    # 256*500/333 = 384.38 -> 384; (384-224)/2 = 80
    ((500, 333), (384, 256), (80, 16, 304, 240)),
    # 256*301/227 = 339.45 -> 339; (339-224)/2 = 57.5 -> 58, half to even goes up
    ((301, 227), (339, 256), (58, 16, 282, 240)),
    ((227, 301), (256, 339), (16, 58, 240, 282)),
    # enlarged: 256*101/67 = 385.91 -> 385; (385-224)/2 = 80.5 -> 80
    ((101, 67), (385, 256), (80, 16, 304, 240)),
    # square
    ((512, 512), (256, 256), (16, 16, 240, 240)),
    # one pixel off square: 256*257/256 = 257 (untouched); (257-224)/2 = 16.5 -> 16
    ((257, 256), (257, 256), (16, 16, 240, 240)),
    # 256*256/255 = 257.003 -> 257, resampled; (257-224)/2 = 16.5 -> 16
    ((255, 256), (256, 257), (16, 16, 240, 240)),
    # the shorter side is 256 already: untouched; (259-224)/2 = 17.5 -> 18
    ((259, 256), (259, 256), (18, 16, 242, 240)),
    ((256, 1000), (256, 1000), (16, 388, 240, 612)),
]


def noise_image(size: tuple[int, int], mode: str = "RGB") -> Image.Image:
    """Random pixels, so that any slip of one pixel shows."""
    width, height = size
    pixels = np.random.default_rng(width * 10_007 + height).integers(0, 256, (height, width, 3))
    return Image.fromarray(pixels.astype(np.uint8)).convert(mode)


def encode(image: Image.Image, kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def planes(image: Image.Image) -> npt.NDArray[np.uint8]:
    pixels = np.asarray(image)
    return pixels[None] if pixels.ndim == 2 else np.stack([pixels[..., c] for c in range(3)])


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize(("size", "resized", "box"), GEOMETRY)
def test_is_resize_and_center_crop_of_torchvision(
    size: tuple[int, int],
    resized: tuple[int, int],
    box: tuple[int, int, int, int],
    interpolation: str,
) -> None:
    image = noise_image(size)
    filter_ = {"bilinear": BILINEAR, "bicubic": BICUBIC}[interpolation]
    expected = image.copy() if resized == size else image.resize(resized, filter_)
    spec = InputSpec(3, 224, 224, resize=256, interpolation=interpolation)  # type: ignore[arg-type]
    array = photograph.decode(encode(image, "PNG"), "x.png", spec)
    np.testing.assert_array_equal(array, planes(expected.crop(box)))
    assert array.flags.c_contiguous
    assert array.dtype == np.uint8


def test_crops_a_size_that_is_not_square() -> None:
    image = noise_image((90, 61))
    # 50*90/61 = 73.77 -> 73; left (73-32)/2 = 20.5 -> 20; top (50-45)/2 = 2.5 -> 2
    expected = image.resize((73, 50), BILINEAR).crop((20, 2, 52, 47))
    array = photograph.decode(encode(image, "PNG"), "x", InputSpec(3, 45, 32, resize=50))
    np.testing.assert_array_equal(array, planes(expected))


def test_the_crop_may_be_the_whole_image() -> None:
    image = noise_image((300, 200))
    # 224*300/200 = 336; (336-224)/2 = 56
    expected = image.resize((336, 224), BILINEAR).crop((56, 0, 280, 224))
    array = photograph.decode(encode(image, "PNG"), "x", InputSpec(3, 224, 224, resize=224))
    np.testing.assert_array_equal(array, planes(expected))


def test_real_photographs(photographs: list[tuple[Path, int]]) -> None:
    geometry = {
        (512, 512): ((256, 256), (16, 16, 240, 240)),
        # 256*1024/683 = 383.81 -> 383; (383-224)/2 = 79.5 -> 80
        (1024, 683): ((383, 256), (80, 16, 304, 240)),
    }
    for path, _ in photographs:
        with Image.open(path) as image:
            resized, box = geometry[image.size]
            expected = image.convert("RGB").resize(resized, BILINEAR).crop(box)
        np.testing.assert_array_equal(
            photograph.decode(path.read_bytes(), "", IMAGENET), planes(expected)
        )


def test_real_photographs_of_odd_sizes(photographs: list[tuple[Path, int]]) -> None:
    with Image.open(photographs[3][0]) as image:
        cut = image.crop((7, 40, 407, 307))
    data = encode(cut, "JPEG", quality=90)
    with Image.open(io.BytesIO(data)) as decoded:
        # 256*400/267 = 383.52 -> 383; (383-224)/2 = 79.5 -> 80
        expected = decoded.resize((383, 256), BICUBIC).crop((80, 16, 304, 240))
    spec = InputSpec(3, 224, 224, resize=256, interpolation="bicubic")
    np.testing.assert_array_equal(photograph.decode(data, "cut.jpg", spec), planes(expected))


def test_a_cmyk_jpeg_becomes_rgb(photographs: list[tuple[Path, int]]) -> None:
    with Image.open(photographs[0][0]) as image:
        data = encode(image.convert("CMYK"), "JPEG")
    with Image.open(io.BytesIO(data)) as decoded:
        assert decoded.mode == "CMYK"
        expected = decoded.convert("RGB").resize((256, 256), BILINEAR).crop((16, 16, 240, 240))
    array = photograph.decode(data, "cmyk.JPEG", IMAGENET)
    np.testing.assert_array_equal(array, planes(expected))
    # Not inverted: a CMYK round trip stays close to the photograph.
    difference = array.astype(int) - photograph.decode(photographs[0][0].read_bytes(), "", IMAGENET)
    assert np.abs(difference).mean() < 12


def test_the_content_tells_the_format(tmp_path: Path) -> None:
    image = noise_image((8, 8))
    file = tmp_path / "n02105855_2933.JPEG"
    file.write_bytes(encode(image, "PNG"))
    np.testing.assert_array_equal(
        photograph.decode(file.read_bytes(), "", InputSpec(3, 8, 8)), planes(image)
    )


@pytest.mark.parametrize("kind", ["PNG", "PPM", "BMP", "TIFF"])
def test_lossless_formats(kind: str) -> None:
    image = noise_image((9, 5))
    array = photograph.decode(encode(image, kind), "x", InputSpec(3, 5, 9))
    np.testing.assert_array_equal(array, planes(image))


def test_webp() -> None:
    image = noise_image((9, 5))
    array = photograph.decode(encode(image, "WEBP", lossless=True), "x", InputSpec(3, 5, 9))
    np.testing.assert_array_equal(array, planes(image))


def test_grey_and_colour() -> None:
    grey, colour = noise_image((6, 4), "L"), noise_image((6, 4))
    one, three = InputSpec(1, 4, 6), InputSpec(3, 4, 6)
    np.testing.assert_array_equal(
        photograph.decode(encode(grey, "PNG"), "x", one), np.asarray(grey)[None]
    )
    np.testing.assert_array_equal(
        photograph.decode(encode(grey, "PNG"), "x", three), np.stack([np.asarray(grey)] * 3)
    )
    # Luma of ITU-R 601 in 16-bit fixed point, as Pillow documents for "L".
    red, green, blue = np.asarray(colour).astype(int).transpose(2, 0, 1)
    luma = (19595 * red + 38470 * green + 7471 * blue + 0x8000) >> 16
    np.testing.assert_array_equal(photograph.decode(encode(colour, "PNG"), "x", one)[0], luma)


def test_palette_transparency_and_black_and_white() -> None:
    spec = InputSpec(3, 8, 8)
    palette = noise_image((8, 8)).quantize(16)
    array = photograph.decode(encode(palette, "PNG"), "x", spec)
    np.testing.assert_array_equal(array, planes(palette.convert("RGB")))
    # Colour is kept under transparency: the alpha channel is dropped, not composed.
    clear = noise_image((8, 8))
    clear.putalpha(Image.new("L", (8, 8), 0))
    array = photograph.decode(encode(clear, "PNG"), "x", spec)
    np.testing.assert_array_equal(array, planes(clear)[:3])
    bits = noise_image((8, 8)).convert("1")
    array = photograph.decode(encode(bits, "PNG"), "x", spec)
    assert set(np.unique(array)) == {0, 255}


def test_exif_orientation_is_left_alone() -> None:
    image = noise_image((12, 8))
    exif = Image.Exif()
    exif[0x0112] = 6  # "rotate by 90 degrees to view"
    array = photograph.decode(encode(image, "PNG", exif=exif), "x", InputSpec(3, 8, 12))
    np.testing.assert_array_equal(array, planes(image))


def test_without_resize_the_size_must_be_the_models() -> None:
    data = encode(noise_image((28, 32)), "PNG")
    with pytest.raises(InputError, match=r"cat\.png: is 32x28 .*32x32.*give --resize 32"):
        photograph.decode(data, "cat.png", InputSpec(3, 32, 32))


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds no pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = chunk(b"IDAT", zlib.compress(b""))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + pixels + chunk(b"IEND", b"")


JPEG = encode(noise_image((64, 64)), "JPEG")
PNG = encode(noise_image((64, 64)), "PNG")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"this is no photograph\n",
        JPEG[: len(JPEG) // 2],
        JPEG[:-200],
        JPEG[:20],
        PNG[: len(PNG) // 2],
        PNG[:40],
        PNG[:100] + bytes(50) + PNG[150:],
        encode(noise_image((64, 64)), "BMP")[:1000],
        encode(noise_image((64, 64)), "TIFF")[:500],
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n%%EndComments\nshowpage\n",
    ],
    ids=[
        "empty", "text", "half a JPEG", "JPEG without its end", "JPEG header", "half a PNG",
        "PNG header", "PNG with zeros", "half a BMP", "half a TIFF", "PostScript",
    ],
)  # fmt: skip
def test_what_is_no_whole_photograph_is_named(data: bytes) -> None:
    with pytest.raises(InputError, match=r"^val/x\.JPEG: cannot be decoded") as caught:
        photograph.decode(data, "val/x.JPEG", InputSpec(3, 64, 64))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["EPS", "PCX", "ICO", "TGA"])
def test_formats_of_no_data_set_are_not_opened(kind: str) -> None:
    data = encode(noise_image((64, 64)), kind)
    with Image.open(io.BytesIO(data)) as image:
        assert image.format == kind  # Pillow alone would open it
    with pytest.raises(InputError, match=r"x\.jpg: cannot be decoded \(unknown format"):
        photograph.decode(data, "x.jpg", InputSpec(3, 64, 64))


def test_a_decompression_bomb_is_refused() -> None:
    with pytest.raises(InputError, match="decompression bomb"):
        photograph.decode(png_header(20_000, 20_000), "bomb.png", IMAGENET)


def test_a_strip_that_explodes_when_resized_is_refused() -> None:
    data = encode(Image.new("L", (60_000, 1)), "PNG")
    with pytest.raises(InputError, match=r"strip\.png: is 1x60000 .* 256x15360000 when resized"):
        photograph.decode(data, "strip.png", IMAGENET)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_more_than_8_bits_are_refused(kind: str) -> None:
    deep = Image.fromarray(np.arange(64, dtype=np.uint16).reshape(8, 8) * 1000)
    with pytest.raises(InputError, match=r"x: has more than 8 bits per pixel \(mode I;16"):
        photograph.decode(encode(deep, kind), "x", InputSpec(1, 8, 8))


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.jpg does not exist"):
        photograph.read_bytes(tmp_path / "gone.jpg")
    with pytest.raises(InputError, match="cannot be read"):
        photograph.read_bytes(tmp_path)


@pytest.mark.parametrize("channels", [2, 4])
def test_other_numbers_of_channels_are_refused(channels: int) -> None:
    with pytest.raises(InputError, match=f"has {channels} channels: expected 1"):
        photograph.check_channels(InputSpec(channels, 8, 8))
