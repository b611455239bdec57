"""Runs over sources that others wrote: what is inferred is in the log, resumed and audited."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import smoothcert
from smoothcert.engine.base.errors import InputError

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 6, 6, 3)).astype(np.uint8)
LABELS = np.arange(6) % 4


@pytest.fixture
def model(linear_model: Callable[..., Path]) -> Path:
    """Of four classes, which differ in what they make of colours."""
    weights = np.random.default_rng(1).normal(size=(4, 108))
    return linear_model(weights, np.zeros(4), (3, 6, 6))


def certify(model: Path, source: Path, log: Path, **options: Any) -> list[list[str]]:
    """The rows of a log, without time; each run has the same noise."""
    smoothcert.certify(model, source, out=log, sigma=0.25, n0=10, n=200, seed=3, **options).run()
    rows = [line.split("\t") for line in log.read_text().splitlines()[1:]]
    return [row[:5] + row[6:] for row in rows]


def read_as(log: Path) -> Any:
    manifest = json.loads(log.with_name(log.name + ".json").read_text())
    return manifest["run"]["source"].get("read_as")


@pytest.fixture
def plain(model: Path, tmp_path: Path) -> list[list[str]]:
    """What images and labels as they should be give."""
    np.savez(tmp_path / "plain.npz", images=IMAGES, labels=LABELS)
    rows = certify(model, tmp_path / "plain.npz", tmp_path / "plain.tsv")
    assert read_as(tmp_path / "plain.tsv") is None
    return rows


@pytest.mark.parametrize(
    ("arrays", "recorded"),
    [
        ({"x_train": IMAGES[:2], "y_train": LABELS[:2], "x_test": IMAGES, "y_test": LABELS},
         {"arrays": ["x_test", "y_test"]}),
        ({"images": (IMAGES / 255).astype(np.float32), "labels": LABELS}, {"scale": "k/255"}),
        ({"images": IMAGES.transpose(0, 3, 1, 2), "labels": LABELS[:, None]}, {"layout": "NCHW"}),
        ({"test_images": IMAGES.astype(np.int64), "test_labels": np.eye(4)[LABELS]},
         {"arrays": ["test_images", "test_labels"], "scale": "k", "one_hot": 4}),
    ],
)  # fmt: skip
def test_the_log_is_that_of_the_plain_twin(
    model: Path, tmp_path: Path, plain: list[list[str]], arrays: Any, recorded: Any
) -> None:
    np.savez(tmp_path / "x.npz", **arrays)
    log = tmp_path / "out.tsv"
    assert certify(model, tmp_path / "x.npz", log) == plain
    assert read_as(log) == recorded
    report = smoothcert.audit(log, tmp_path / "x.npz", rows=2)
    assert (report.rows, report.findings) == (6, [])
    assert certify(model, tmp_path / "x.npz", log) == plain  # resumed


def test_other_arrays_are_another_run(model: Path, tmp_path: Path, plain: list[list[str]]) -> None:
    file, log = tmp_path / "x.npz", tmp_path / "out.tsv"
    np.savez(file, x_train=IMAGES, y_train=LABELS, x_test=255 - IMAGES, y_test=LABELS)
    assert certify(model, file, log, arrays=("x_train", "y_train")) == plain
    with pytest.raises(InputError, match=r"read_as\.arrays"):
        certify(model, file, log)
    assert not smoothcert.audit(log, file, rows=2).findings  # which reads the log's arrays


def test_without_labels_nothing_is_correct(model: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", images=IMAGES)
    log = tmp_path / "out.tsv"
    with pytest.raises(InputError, match="give --unlabelled"):
        certify(model, tmp_path / "x.npz", log)
    assert not log.exists()
    # So few samples that images are abstained from: predict is -1 then, as the label is.
    options: dict[str, Any] = {"unlabelled": True, "sigma": 4.0, "n0": 2, "n": 10, "seed": 3}
    smoothcert.certify(model, tmp_path / "x.npz", out=log, **options).run()
    rows = [line.split("\t") for line in log.read_text().splitlines()[1:]]
    assert "-1" in [row[2] for row in rows]
    assert [(row[1], row[4]) for row in rows] == [("-1", "0")] * 6
    assert read_as(log) == {"unlabelled": True}
    assert not smoothcert.audit(log, tmp_path / "x.npz", rows=2).findings
    np.savez(tmp_path / "y.npz", images=IMAGES, labels=LABELS)
    with pytest.raises(InputError, match="label-aware"):
        smoothcert.certify(
            model, tmp_path / "y.npz", out=tmp_path / "l.tsv", sigma=0.25, radii=(0.25,),
            label_aware=True, unlabelled=True,
        ).run()  # fmt: skip


def test_lists_are_audited_by_the_auditors_own(model: Path, tmp_path: Path) -> None:
    """What is correct is not what a log says: the list is given again, under whatever name."""
    (tmp_path / "val").mkdir()
    for index, pixels in enumerate(IMAGES):
        Image.fromarray(pixels).save(tmp_path / "val" / f"{index}.png")
    names, log = tmp_path / "val.txt", tmp_path / "out.tsv"
    names.write_text("".join(f"{index}.png {index % 4}\n" for index in (4, 0, 3)))
    rows = certify(model, tmp_path / "val", log, labels=names)
    assert [row[1] for row in rows] == ["0", "0", "3"]
    with pytest.raises(InputError, match=r"labels are from the list val\.txt: give it as --labels"):
        smoothcert.audit(log, tmp_path / "val")
    names.rename(tmp_path / "other.txt")
    report = smoothcert.audit(log, tmp_path / "val", rows=2, labels=tmp_path / "other.txt")
    assert report.findings == []
    (tmp_path / "other.txt").write_text("".join(f"{index}.png 1\n" for index in (4, 0, 3)))
    with pytest.raises(InputError, match="the source is not the log's"):
        smoothcert.audit(log, tmp_path / "val", labels=tmp_path / "other.txt")
