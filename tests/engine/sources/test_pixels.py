"""Digests pin what a source's own digest does not."""

import hashlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.engine.sources import open_source
from smoothcert.engine.sources.base import FailedImage, ImageSource
from smoothcert.engine.sources.pixels import DigestedImage, pixels_digest, read_digests

SPEC = InputSpec(3, 64, 64, resize=72)


def test_a_digest_is_of_the_bytes_in_their_order() -> None:
    pixels = np.arange(12, dtype=np.uint8).reshape(3, 2, 2)
    expected = hashlib.blake2b(bytes(range(12)), digest_size=8).hexdigest()
    assert pixels_digest(pixels) == expected
    assert len(expected) == 16
    strided = np.arange(24, dtype=np.uint8).reshape(3, 2, 4)[..., ::2]
    assert pixels_digest(strided) == pixels_digest(strided.copy())
    assert pixels_digest(pixels[::-1]) != expected


def one_by_one(source: ImageSource) -> list[DigestedImage]:
    return [DigestedImage(i, pixels_digest(source.image(i))) for i in range(len(source))]


def test_every_kind_of_source_is_read_in_order(
    photograph_folder: Path, source: Path, tmp_path: Path
) -> None:
    files = sorted(photograph_folder.rglob("*.jpg"))
    table = pa.table(
        {
            "image": [{"bytes": file.read_bytes(), "path": None} for file in files],
            "label": [int(file.parent.name == "red") for file in files],
        }
    )
    pq.write_table(table, tmp_path / "x.parquet", row_group_size=2)
    folder = open_source(photograph_folder, SPEC, 2)
    parquet = open_source(tmp_path / "x.parquet", SPEC, 2)
    arrays = open_source(source, None, None)
    assert one_by_one(folder) == one_by_one(parquet)
    for images in (folder, parquet, arrays):
        for _ in range(3):
            assert list(read_digests(images, range(len(images)))) == one_by_one(images)
        assert list(read_digests(images, [])) == []
    assert list(read_digests(folder, [7, 2])) == [one_by_one(folder)[7], one_by_one(folder)[2]]


def test_a_replaced_photograph_of_the_same_size_is_another(photograph_folder: Path) -> None:
    """Its source's digest is not: names and sizes."""
    before = open_source(photograph_folder, SPEC, 2)
    digests = list(read_digests(before, range(12)))
    first, second = (photograph_folder / "blue" / name for name in ("0.jpg", "1.jpg"))
    size = first.stat().st_size
    first.write_bytes(second.read_bytes()[:size].ljust(size, b"\0"))
    after = open_source(photograph_folder, SPEC, 2)
    assert after.describe() == before.describe()
    found = list(read_digests(after, range(12)))
    assert [i for i in range(12) if found[i] != digests[i]] == [0]


def test_what_cannot_be_read_is_said(photograph_folder: Path) -> None:
    images = open_source(photograph_folder, SPEC, 2)
    (photograph_folder / "blue" / "1.jpg").unlink()
    (photograph_folder / "blue" / "4.jpg").write_bytes(b"no photograph")
    found = list(read_digests(images, range(6)))
    assert [type(each) for each in found] == [
        FailedImage if i in (1, 4) else DigestedImage for i in range(6)
    ]
    assert all("\n" not in each.reason for each in found if isinstance(each, FailedImage))


def test_reading_may_be_left_early(photograph_folder: Path) -> None:
    reading = read_digests(open_source(photograph_folder, SPEC, 2), range(12))
    next(reading)
    reading.close()  # type: ignore[attr-defined]
    with pytest.raises(StopIteration):
        next(reading)


def test_pixels_are_those_after_resize_and_crop(tmp_path: Path) -> None:
    (tmp_path / "photos" / "a").mkdir(parents=True)
    picture = np.random.default_rng(0).integers(0, 256, (40, 40, 3)).astype(np.uint8)
    Image.fromarray(picture).save(tmp_path / "photos" / "a" / "x.png")
    small, large = (
        next(read_digests(open_source(tmp_path / "photos", spec, 1), [0]))
        for spec in (InputSpec(3, 40, 40, resize=40), InputSpec(3, 32, 32, resize=40))
    )
    assert small == DigestedImage(0, pixels_digest(picture.transpose(2, 0, 1)))
    assert small != large
