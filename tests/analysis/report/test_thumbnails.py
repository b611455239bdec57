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
from smoothcert.engine.sources.options import SourceOptions


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


def test_a_source_is_read_as_its_log_has_it(tmp_path: Path) -> None:
    images, labels = np.load(IMAGES)["images"][:6], np.load(IMAGES)["labels"][:6]
    file = tmp_path / "x.npz"
    np.savez(file, x_train=255 - images, y_train=labels, x_test=images, y_test=labels)
    asked = SourceOptions(arrays=("x_train", "y_train"))
    described = open_source(file, None, None, asked).describe()
    log = write_log(tmp_path / "a.tsv", real_labels(6), manifest=run(source=described))
    found = thumbnails(str(file), [log])
    for index, text in found.pictures.items():
        assert (pixels(text) == 255 - images[index].squeeze()).all()
    unlabelled = open_source(file, None, None, SourceOptions(unlabelled=True)).describe()
    rows = [(-1, 3, 0.5)] * 6
    log = write_log(tmp_path / "b.tsv", rows, manifest=run(source=unlabelled))
    assert (pixels(thumbnails(str(file), [log]).pictures[5]) == images[5].squeeze()).all()


def test_wnids_are_classes_of_the_logs_model(tmp_path: Path) -> None:
    for wnid in ("n01440764", "n02979186"):
        (tmp_path / "val" / wnid).mkdir(parents=True)
        Image.new("RGB", (9, 9)).save(tmp_path / "val" / wnid / "x.png")
    source = open_source(tmp_path / "val", None, 1000)
    assert [source.label(0), source.label(1)] == [0, 482]
    manifest = run(source=source.describe())
    manifest["model"] = {**manifest["model"], "classes": 1000}
    log = write_log(tmp_path / "a.tsv", [(0, 0, 0.5), (482, 7, 0.25)], manifest=manifest)
    assert thumbnails(str(tmp_path / "val"), [log]).fits == [True]


def test_a_list_of_labels_is_to_be_given(tmp_path: Path) -> None:
    (tmp_path / "val").mkdir()
    for name in "ab":
        Image.new("RGB", (9, 9)).save(tmp_path / "val" / f"{name}.png")
    (tmp_path / "val.txt").write_text("b.png 3\na.png 1\n")
    given = SourceOptions(labels=tmp_path / "val.txt")
    described = open_source(tmp_path / "val", None, 10, given).describe()
    log = write_log(tmp_path / "a.tsv", [(3, 3, 0.5), (1, 7, 0.25)], manifest=run(source=described))
    with pytest.raises(InputError, match="give it as --labels"):
        thumbnails(str(tmp_path / "val"), [log])
    assert thumbnails(str(tmp_path / "val"), [log], options=given).fits == [True]


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
