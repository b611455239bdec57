"""Pictures of noisy images: what the base classifier sees while an image is certified."""

import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.files import write_atomically
from smoothcert.engine.base.input_spec import LEVELS
from smoothcert.engine.base.outputs import check_output
from smoothcert.engine.base.ranges import PICTURED_SIGMA
from smoothcert.engine.base.regular import read_regular
from smoothcert.engine.base.wording import printable
from smoothcert.engine.noise.lattice import LatticeGaussian
from smoothcert.engine.noise.streams import Purpose

# Smaller images are enlarged on the sheet, by whole factors, to at least this many pixels a side.
_SHEET_SIDE = 168
_SHEET_COLUMNS = 6
_MARGIN = 12
_TITLE_SIZE = 18
_LABEL_SIZE = 16
_WHITE = (255, 255, 255)
_INK = (32, 32, 32)


def noisy_image(
    image: npt.NDArray[np.uint8], index: int, sigma: float, seed: int = 0
) -> npt.NDArray[np.uint8]:
    """The image with the engine's noise of level sigma, clipped to 0..255 for the eye.

    image  uint8 [C, H, W], number `index` of its source; the result is alike. Sigma 0 is the image
           itself. All levels use the same random numbers, so the pictures differ in amplitude only.

    The classifier sees unclipped pixels. Raises InputError for a sigma or seed out of range.
    """
    PICTURED_SIGMA.check(sigma)
    if sigma == 0:
        return image.copy()
    law = LatticeGaussian(sigma)
    noise = law.sample(seed, index, 0, 1, image.size, Purpose.VISUALISATION)
    noisy = image.astype(np.int32) + noise.reshape(image.shape)
    return noisy.clip(0, LEVELS).astype(np.uint8)


def to_picture(image: npt.NDArray[np.uint8]) -> Image.Image:
    """uint8 [1, H, W] or [3, H, W] as a grey or RGB picture; raises InputError otherwise."""
    if len(image) not in (1, 3):
        raise InputError(f"the images have {len(image)} channels: expected 1 (grey) or 3 (RGB)")
    return Image.fromarray(image[0] if len(image) == 1 else image.transpose(1, 2, 0).copy())


def contact_sheet(title: str, pictures: Sequence[tuple[str, Image.Image]]) -> Image.Image:
    """Labelled pictures of one size in rows, RGB; small ones enlarged so that pixels are seen."""
    side = min(pictures[0][1].size)
    factor = max(1, -(-_SHEET_SIDE // side))
    width, height = (length * factor for length in pictures[0][1].size)
    title_font = ImageFont.load_default(size=_TITLE_SIZE)
    label_font = ImageFont.load_default(size=_LABEL_SIZE)
    columns = min(len(pictures), _SHEET_COLUMNS)
    rows = -(-len(pictures) // columns)
    column, row = width + _MARGIN, height + _LABEL_SIZE + 2 * _MARGIN
    top = _TITLE_SIZE + 2 * _MARGIN
    title_width = round(title_font.getlength(title)) + 2 * _MARGIN
    size = (max(_MARGIN + columns * column, title_width), top + rows * row)
    sheet = Image.new("RGB", size, _WHITE)
    draw = ImageDraw.Draw(sheet)
    draw.text((_MARGIN, _MARGIN), title, fill=_INK, font=title_font)
    for place, (label, picture) in enumerate(pictures):
        x = _MARGIN + place % columns * column
        y = top + place // columns * row
        draw.text((x, y), label, fill=_INK, font=label_font)
        enlarged = picture.resize((width, height), Image.Resampling.NEAREST)
        sheet.paste(enlarged, (x, y + _LABEL_SIZE + _MARGIN // 2))
    return sheet


def file_name(index: int, sigma: float) -> str:
    """The original code's name of a noisy picture, such as 7_25.png for sigma 0.25."""
    return f"{index}_{int(sigma * 100)}.png"


def write_pictures(
    image: npt.NDArray[np.uint8],
    index: int,
    sigmas: Sequence[float],
    folder: Path,
    title: str,
    *,
    seed: int = 0,
    force: bool = False,
) -> list[Path]:
    """Write a PNG of the image at each sigma, and all of them on folder/{index}_sheet.png.

    Files that exist already are left alone where they are the same, and replaced if `force`.
    Returns the paths, the sheet last. Raises InputError, before anything is written, where a file
    differs, or two sigmas have one name.
    """
    pictures: dict[str, tuple[str, Image.Image]] = {}
    for sigma in sigmas:
        picture = to_picture(noisy_image(image, index, sigma, seed))
        name = file_name(index, sigma)
        label = f"sigma {sigma:g}" if sigma else "no noise"
        if name in pictures:
            raise InputError(
                f"{pictures[name][0]} and {label} would both be written to {name}: expected sigmas "
                "that differ in two decimals"
            )
        pictures[name] = (label, picture)
    files = {folder / name: _png(picture) for name, (_, picture) in pictures.items()}
    files[folder / f"{index}_sheet.png"] = _png(contact_sheet(title, list(pictures.values())))
    _write(files, force)
    return list(files)


def _png(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _write(files: Mapping[Path, bytes], force: bool) -> None:
    """Write all of the files or none of them."""
    missing = []
    for path, content in files.items():
        there = os.path.lexists(path)
        if there:
            check_output(path, "picture", replace=True)
        same = there and path.stat().st_size == len(content) and read_regular(path) == content
        if there and not same and not force:
            raise InputError(
                f"{printable(path)} exists and differs: choose another folder, or --force"
            )
        if not same:
            missing.append(path)
    for path in missing:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, files[path])
        except OSError as error:
            raise InputError(
                f"{printable(path)} cannot be written ({error.strerror}): expected a writable "
                "folder"
            ) from None
