"""From an encoded photograph to a network's input, bit-equal to torchvision's PIL transforms."""

import io
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from smoothcert.engine.base.errors import InputError, one_line
from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.engine.base.memory import check_fits
from smoothcert.engine.base.regular import read_regular
from smoothcert.engine.sources.quiet_pillow import quiet_pillow

EXTENSIONS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")
"""Lower-case file extensions of photographs: those of torchvision's ImageFolder."""

# What these extensions and their usual mislabellings hold (MPO, of some cameras, opens as JPEG).
# Pillow knows more formats; EPS runs Ghostscript, which a file of a data set must not.
_FORMATS = ("JPEG", "PNG", "PPM", "BMP", "TIFF", "WEBP", "GIF")
# Where Pillow itself refuses to decode: a thin strip may pass its check and explode here.
_MAX_PIXELS = 2 * 89_478_485
MOST_BYTES = 1 << 30
"""Bytes of an encoded photograph, at most: more than as many pixels need in any format."""

# Of a pixel: Pillow keeps colours in 4, and what is converted is there twice.
_BYTES_DECODED = 8
_MODES = {1: "L", 3: "RGB"}
_RESAMPLING = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}

DEFAULT_SPEC = InputSpec.of_shape(3, 224, 224)
"""What photographs become where no model says otherwise: the original's ImageNet input."""


def check_channels(spec: InputSpec) -> None:
    """Raise InputError unless photographs can feed the model: 1 channel (grey) or 3 (RGB)."""
    if spec.channels not in _MODES:
        raise InputError(
            f"the model's input has {spec.channels} channels: expected 1 (grey) or 3 (RGB) for "
            "photographs; give an .npz file of arrays with that many channels"
        )


def read_bytes(path: Path) -> bytes:
    """The encoded photograph in a file; raises InputError where it cannot be read."""
    return read_regular(path, "a photograph", most=MOST_BYTES)


def decode(data: bytes, name: str, spec: InputSpec) -> npt.NDArray[np.uint8]:
    """The photograph `data` as uint8 [C, H, W] in the model's input shape.

    `decode_whole`, then `resize_and_crop`; raises InputError as they do.
    """
    return to_array(resize_and_crop(decode_whole(data, name, spec.channels), name, spec))


def decode_whole(data: bytes, name: str, channels: int) -> Image.Image:
    """The photograph `data` in its own size, mode "RGB" (3 channels) or "L" (1 channel).

    The format is told by content, not by name; any 8-bit colour model is converted; the orientation
    that EXIF records is left alone. Raises InputError, calling the photograph `name`, where it is
    not a whole, 8-bit photograph, or has no room in memory.
    """
    try:
        with quiet_pillow(), Image.open(io.BytesIO(data), formats=_FORMATS) as encoded:
            width, height = encoded.size
            check_fits(
                _BYTES_DECODED * width * height,
                f"{name}: has {height}x{width} pixels (HxW), which",
                "a smaller photograph; resize or remove it",
            )
            return in_mode(encoded, name, channels)
    except InputError:
        raise
    # Pillow's decoders answer damaged files with nearly every kind of exception, bombs included.
    except Exception as error:
        reason = "unknown format" if isinstance(error, UnidentifiedImageError) else error
        raise InputError(
            f"{name}: cannot be decoded ({one_line(reason, None)}; {len(data):,} bytes): "
            "expected a whole JPEG, PNG, PPM, BMP, TIFF, WebP or GIF; replace the file"
        ) from None


def in_mode(image: Image.Image, name: str, channels: int) -> Image.Image:
    """An image of any 8-bit colour model as "RGB" (3 channels) or "L" (1 channel); raises
    InputError where it has more than 8 bits."""
    if image.mode[0] in "IF":
        raise InputError(
            f"{name}: has more than 8 bits per pixel (mode {image.mode}): expected an "
            "8-bit image, certificates are for pixels in 0..255; convert it"
        )
    return image.convert(_MODES[channels])


def resize_and_crop(image: Image.Image, name: str, spec: InputSpec) -> Image.Image:
    """torchvision's Resize(spec.resize) and CenterCrop((H, W)) of an "L" or "RGB" image.

    The shorter side becomes spec.resize, the longer one is rounded down; an image whose shorter
    side has that length already is not resampled. Offsets of the crop are rounded half to even.
    With spec.resize None the image must be (H, W) already; else raises InputError.
    """
    if spec.resize is None:
        if image.size != (spec.width, spec.height):
            raise InputError(
                f"{name}: is {image.height}x{image.width} pixels (HxW): expected "
                f"{spec.height}x{spec.width}, the model's input; to resize and crop, give --resize "
                f"{max(spec.height, spec.width)} or more, the shorter side before the crop"
            )
        return image
    short = min(image.size)
    width, height = (spec.resize * side // max(short, 1) for side in image.size)
    if short < 1 or width * height > _MAX_PIXELS:
        raise InputError(
            f"{name}: is {image.height}x{image.width} pixels (HxW), {height}x{width} when resized: "
            f"expected sides from 1 and at most {_MAX_PIXELS:,} pixels; crop or remove it"
        )
    check_fits(
        _BYTES_DECODED * width * height,
        f"{name}: has {height}x{width} pixels (HxW) when resized, which",
        "a smaller photograph; resize or crop it",
    )
    # Pillow copies, and does not resample, where the size is the same.
    image = image.resize((width, height), _RESAMPLING[spec.interpolation])
    left = round((width - spec.width) / 2)
    top = round((height - spec.height) / 2)
    return image.crop((left, top, left + spec.width, top + spec.height))


def to_array(image: Image.Image) -> npt.NDArray[np.uint8]:
    """An "L" or "RGB" image as a new uint8 [C, H, W]."""
    pixels = np.asarray(image, dtype=np.uint8)
    planes = pixels[np.newaxis] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
    return np.array(planes, order="C")
