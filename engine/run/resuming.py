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


def check_images(log: Path, source: ImageSource, logged: Mapping[int, tuple[str, str]]) -> None:
    """Raise InputError at the first image whose label or pixels are no longer those of its row.

    logged  of the rows by image, the label, and the digest of the pixels (sources/pixels.py, which
            says what it costs)
    What a source's own digest says is names and sizes, for all but small files: a replaced
    photograph of the same size, or labels that were corrected in a large array, would otherwise
    share a log with those that were there before.
    """
    for index, (label, _) in logged.items():
        if label != str(source.label(index)):
            raise InputError(
                f"image {index} has label {source.label(index)}, and {label} in {log}: {_ADVICE}"
            )
    for image in read_digests(source, sorted(logged)):
        _, digest = logged[image.index]
        if isinstance(image, FailedImage):
            raise InputError(
                f"image {image.index} of {log} can no longer be read ({image.reason}): expected "
                f"pixels of the digest {digest}; {_ADVICE}"
            )
        if image.digest != digest:
            raise InputError(
                f"image {image.index} has pixels of the digest {image.digest}, and "
                f"{digest} in {log}: {_ADVICE}"
            )
