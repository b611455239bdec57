"""Before a log is resumed: are the images of its rows still those that were certified?"""

from collections.abc import Mapping
from pathlib import Path

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.sources.base import FailedImage, ImageSource
from smoothcert.engine.sources.pixels import read_digests

_ADVICE = (
    "the source has changed since; bring its images back as they were, or choose another output "
    "and certify all of them anew"
)


def check_pixels(log: Path, source: ImageSource, logged: Mapping[int, str]) -> None:
    """Raise InputError at the first image whose pixels are no longer those of its row.

    logged  the digests of the rows' pixels by image (sources/pixels.py, which says what it costs)
    What a source's own digest says is names and sizes, for all but small files: a replaced
    photograph of the same size would otherwise share a log with those that were there before.
    """
    if foreign := [index for index in logged if index >= len(source)]:
        raise InputError(
            f"{log} has a row of image {foreign[0]}, which is not in the source of {len(source)} "
            "images: was it edited? choose another output"
        )
    for image in read_digests(source, sorted(logged)):
        if isinstance(image, FailedImage):
            raise InputError(
                f"image {image.index} of {log} can no longer be read ({image.reason}): expected "
                f"pixels of the digest {logged[image.index]}; {_ADVICE}"
            )
        if image.digest != logged[image.index]:
            raise InputError(
                f"image {image.index} has pixels of the digest {image.digest}, and "
                f"{logged[image.index]} in {log}: {_ADVICE}"
            )
