"""Pictures of the certified images."""

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from report_logs import IMAGES, real_labels, run, write_log

from smoothcert.analysis.report.thumbnails import SIDE, thumbnails
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.sources import open_source


def pixels(text: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(text))))


def test_small_images_are_kept_pixel_for_pixel(tmp_path: Path) -> None:
    found = thumbnails(str(IMAGES), [write_log(tmp_path / "a.tsv", real_labels(12))])
    images = np.load(IMAGES)["images"]
    assert list(found.pictures) == list(range(12))
    for index, text in found.pictures.items():
        assert (pixels(text) == images[index].squeeze()).all()


def test_photographs_are_reduced(tmp_path: Path, photograph_folder: Path) -> None:
    source = open_source(photograph_folder, None, None)
    rows = [(source.label(i), 0 if source.label(i) == 0 else -1, 0.0) for i in range(12)]
    found = thumbnails(str(photograph_folder), [write_log(tmp_path / "a.tsv", rows)])
    blue, red = pixels(found.pictures[0]), pixels(found.pictures[11])
    assert blue.shape == red.shape == (SIDE, SIDE, 3)
    assert blue[..., 2].mean() > blue[..., 0].mean() + 50
    assert red[..., 0].mean() > red[..., 2].mean() + 50


def test_their_number_and_size_are_bounded(tmp_path: Path) -> None:
    log = write_log(tmp_path / "a.tsv", real_labels(40))
    first = thumbnails(str(IMAGES), [log], most_pictures=7)
    assert (list(first.pictures), first.wanted) == (list(range(7)), 40)
    small = thumbnails(str(IMAGES), [log], most_bytes=3000)
    assert 1 <= len(small.pictures) < 12
    assert sum(map(len, small.pictures.values())) <= 3000


def test_only_logs_of_the_source_have_pictures(tmp_path: Path) -> None:
    rows = real_labels(10)
    ours = write_log(tmp_path / "a.tsv", rows)
    digest = open_source(IMAGES, None, None).describe()["digest"]
    named = write_log(tmp_path / "b.tsv", rows, manifest=run(source={"digest": digest}))
    other = write_log(tmp_path / "c.tsv", rows, manifest=run(source={"digest": "0" * 64}))
    label = write_log(tmp_path / "d.tsv", [*rows[:9], ((rows[9][0] + 1) % 10, -1, 0.0)])
    longer = write_log(tmp_path / "e.tsv", [(1, -1, 0.0)] * 501)
    assert thumbnails(str(IMAGES), [ours, named, other, label, longer]).fits == [
        True, True, False, False, False,
    ]  # fmt: skip
    with pytest.raises(InputError, match="is not what"):
        thumbnails(str(IMAGES), [other])
