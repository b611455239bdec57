"""Draws printed pages (256x256) or lines of text (48x192), turned, in a folder for each angle.

    python data/pages.py FOLDER page|line COUNT

What models that tell which way up a text is are asked about: 0, 90, 180 and 270 degrees, clockwise,
of a page; 0 and 180 of a line. The words are drawn by chance, the same ones always.
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

_SYLLABLES = [consonant + vowel for consonant in "bdfgklmnprstvw" for vowel in "aeiou"]


def words(rng: np.random.Generator, count: int) -> str:
    """So many made-up words."""
    made = ("".join(rng.choice(_SYLLABLES, rng.integers(1, 4))) for _ in range(count))
    return " ".join(word.capitalize() if rng.random() < 0.2 else word for word in made)


def page(rng: np.random.Generator) -> Image.Image:
    """A page of black lines on white."""
    image = Image.new("RGB", (256, 256), "white")
    draw = ImageDraw.Draw(image)
    for top in range(8, 240, 24):
        line = words(rng, int(rng.integers(2, 6)))
        draw.text((10, top), line, "black", ImageFont.load_default(17))
    return image


def line(rng: np.random.Generator) -> Image.Image:
    """One line of text that fills its strip."""
    image = Image.new("RGB", (192, 48), "white")
    ImageDraw.Draw(image).text((6, 8), words(rng, 3), "black", ImageFont.load_default(28))
    return image


def main(folder: Path, kind: str, count: int) -> None:
    """So many images of a kind, each at all of its angles."""
    make, angles = {"page": (page, (0, 90, 180, 270)), "line": (line, (0, 180))}[kind]
    rng = np.random.default_rng(0)
    for number in range(count):
        drawn = make(rng)
        for angle in angles:
            (folder / str(angle)).mkdir(parents=True, exist_ok=True)
            turned = drawn.rotate(-angle, expand=True)
            turned.save(folder / str(angle) / f"{number:02d}.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
