"""Small pictures of the certified images, as PNG data for a page."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from smoothcert.analysis.log import Log
from smoothcert.analysis.pictures import to_picture
from smoothcert.engine.base.doing import each_of
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.sources import open_source
from smoothcert.engine.sources.base import ImageSource
from smoothcert.engine.sources.options import NOTHING_SAID, READ_AS, SourceOptions

MOST_PICTURES = 3000
MOST_BYTES = 6_000_000
SIDE = 64


@dataclass(frozen=True)
class Thumbnails:
    """Pictures by image index, as base64 of PNG files.

    fits    per log: whether its rows are images of this source
    wanted  the images that the fitting logs name; those beyond the limits have no picture
    """

    name: str
    pictures: dict[int, str]
    fits: list[bool]
    wanted: int


def thumbnails(
    source: str,
    logs: Sequence[Log],
    most_pictures: int = MOST_PICTURES,
    most_bytes: int = MOST_BYTES,
    options: SourceOptions = NOTHING_SAID,
) -> Thumbnails:
    """Pictures of the first images, by index, that the logs name: at most `most_pictures`, and
    `most_bytes` of base64 altogether.

    The source is opened as the first log that records it has it, by its own options and `options`.
    Images of up to 64 pixels a side are kept pixel for pixel; larger ones are reduced.
    Raises InputError where the source cannot be opened, an image of it cannot be decoded or has
    neither 1 nor 3 channels, or no log is of this source.
    """
    images = _opened(source, logs, options)
    fits = [_fits(log, images) for log in logs]
    if not any(fits):
        raise InputError(
            f"{source} is not what {logs[0].path} certified: its digest, its number of images or a "
            "label differs; expected the source of at least one log"
        )
    chosen = [log for log, fit in zip(logs, fits, strict=True) if fit]
    wanted = sorted({int(index) for log in chosen for index in log.idx})
    pictures = _packed(images, wanted[:most_pictures], most_bytes)
    return Thumbnails(str(images.describe()["name"]), pictures, fits, len(wanted))


def _opened(source: str, logs: Sequence[Log], options: SourceOptions) -> ImageSource:
    """The source, with the labels that its log has: names are classes of the log's model."""
    runs = [log.run for log in logs if isinstance(log.run.get("source"), dict)]
    run = next((run for run in runs if READ_AS in run["source"]), None)
    if run is None:
        return open_source(source, None, None, options)
    model = run.get("model")
    classes = model.get("classes") if isinstance(model, dict) else None
    return open_source(
        source,
        None,
        classes if isinstance(classes, int) and classes > 0 else None,
        options.of_log(run["source"]),
    )


def _packed(images: ImageSource, indices: Sequence[int], most_bytes: int) -> dict[int, str]:
    pictures: dict[int, str] = {}
    size = 0
    for index in each_of(indices, "making pictures of the images", len(indices)):
        text = base64.b64encode(_png(to_picture(images.image(index)))).decode("ascii")
        size += len(text)
        if size > most_bytes:
            break
        pictures[index] = text
    return pictures


def _fits(log: Log, images: ImageSource) -> bool:
    """Whether the log may be of this source: the digest where one is recorded, and every label."""
    source = log.run.get("source")
    recorded = source.get("digest") if isinstance(source, dict) else None
    if recorded is not None and recorded != images.describe().get("digest"):
        return False
    if int(log.idx.max()) >= len(images):
        return False
    rows = zip(log.idx.tolist(), log.label.tolist(), strict=True)
    return all(images.label(index) == label for index, label in rows)


def _png(picture: Image.Image) -> bytes:
    if max(picture.size) > SIDE:
        picture.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
