"""Images of strangers: folders, lists and arrays that others laid out."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from smoothcert.engine.log.manifest import manifest_path
from strangers.certifying import audited, certify, image_file, images, rows, run_of, same_rows
from strangers.command import Table, smoothcert
from strangers.models import plain, write

TABLE = Table("images")

_NAMES = [f"ILSVRC2012_val_{number:08d}" for number in (1, 2, 3)]


def _photograph(path: Path, number: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(number).integers(0, 256, (12, 10, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, format="PNG")


def _labels(log: Path) -> list[int]:
    return [int(row[1]) for row in rows(log)]


def _thousand(folder: Path) -> Path:
    return write(folder / "thousand.onnx", gives="float[N,1000] y", classes=1000)


@TABLE.row("hidden_folder")
def hidden_folder(folder: Path) -> None:
    source = folder / "source"
    for number, name in enumerate("abcde"):
        _photograph(source / name / "1.png", number)
    (source / ".ipynb_checkpoints").mkdir()
    log = folder / "out.tsv"
    unsized = certify(plain(folder), source, log)
    assert (unsized.status, "--resize" in unsized.err) == (1, True), unsized
    log.unlink()
    manifest_path(log).unlink()
    certify(plain(folder), source, log, "--resize", 8).works()
    assert _labels(log) == [0, 1, 2]
    audited(log, source)
    (source / "odd_one").mkdir()
    certify(plain(folder), source, folder / "x.tsv", "--resize", 8).refused("odd_one", "6", "5")


@TABLE.row("two_of_many_classes")
def two_of_many_classes(folder: Path) -> None:
    source, log = folder / "source", folder / "out.tsv"
    for number, name in enumerate(("n01440764", "n02979186")):
        _photograph(source / name / "1.png", number)
    certify(_thousand(folder), source, log, "--resize", 8).works("ILSVRC-2012")
    assert _labels(log) == [0, 482]
    audited(log, source)
    classes = folder / "classes.txt"
    classes.write_text("n02979186 cassette player\nn01440764 tench\nn3\nn4\nn5\n")
    named = folder / "named.tsv"
    certify(plain(folder), source, named, "--resize", 8, "--classes", classes).works()
    assert _labels(named) == [1, 0]
    _photograph(source / "n99999999" / "1.png", 3)
    certify(_thousand(folder), source, folder / "x.tsv", "--resize", 8).refused("n99999999")


def _flat(folder: Path) -> Path:
    source = folder / "flat"
    for number, name in enumerate(_NAMES):
        _photograph(source / f"{name}.JPEG", number)
    return source


@TABLE.row("flat_val + flat_val.txt")
def flat_with_list(folder: Path) -> None:
    source, labels, log = _flat(folder), folder / "flat.txt", folder / "out.tsv"
    labels.write_text("".join(f"{name}.JPEG {k}\n" for k, name in enumerate(_NAMES)))
    model, resize = plain(folder), ("--resize", 8)
    certify(model, source, log, *resize).refused("--labels")
    certify(model, labels, log, *resize, "--labels", labels).refused("--labels")
    certify(model, labels, log, *resize).refused("a list of labels", "--labels")
    certify(model, source, log, *resize, "--labels", labels).works()
    assert _labels(log) == [0, 1, 2]
    audited(log, source, "--labels", labels)
    page = folder / "report.html"
    report = ("analyze", log, "--html", page, "--source", source)
    smoothcert(*report).refused("--labels")
    smoothcert(*report, "--labels", labels).works()
    assert "data:image/png" in page.read_text()
    labels.write_text(labels.read_text() + f"{_NAMES[0]}.JPEG 1\n")
    certify(model, source, folder / "x.tsv", *resize, "--labels", labels).refused("line 4")
    labels.write_text("missing.JPEG 0\n")
    certify(model, source, folder / "x.tsv", *resize, "--labels", labels).refused(
        "line 1", "missing.JPEG"
    )


@TABLE.row("flat_val + LOC_val_solution.csv")
def flat_with_kaggle(folder: Path) -> None:
    source, labels, log = _flat(folder), folder / "LOC_val_solution.csv", folder / "out.tsv"
    labels.write_text(
        "ImageId,PredictionString\n"
        f"{_NAMES[0]},n01440764 1 2 3 4\n"
        f"{_NAMES[1]},n02979186 1 2 3 4 n01440764 5 6 7 8\n"
    )
    certify(_thousand(folder), source, log, "--resize", 8, "--labels", labels).works("1 ")
    assert _labels(log) == [0, 482]
    audited(log, source, "--labels", labels)


@TABLE.row("keras.npz")
def keras(folder: Path) -> None:
    source, log = folder / "keras.npz", folder / "out.tsv"
    x, y = images(), np.arange(6) % 5
    np.savez(source, x_train=x[::-1], y_train=y[::-1], x_test=x, y_test=y)
    certify(plain(folder), source, log).works("x_test")
    certify(plain(folder), image_file(folder), folder / "plain.tsv").works()
    same_rows(log, folder / "plain.tsv")
    audited(log, source)
    chosen = folder / "chosen.tsv"
    certify(plain(folder), source, chosen, "--arrays", "x_train,y_train").works()
    assert _labels(chosen) == [0, 4, 3]
    assert "x_train" in str(run_of(chosen)["source"])
    audited(chosen, source)


@TABLE.row("float_images.npz")
def float_images(folder: Path) -> None:
    model, log = plain(folder), folder / "out.tsv"
    x, y = images(), np.arange(6) % 5
    certify(model, image_file(folder), folder / "plain.tsv").works()
    stored: list[npt.NDArray[np.number]] = [x / 255, x.astype(np.float32)]
    stored += [(x / 255).astype(kind) for kind in (np.float32, np.float16)]
    for number, pixels in enumerate(stored):
        source, log = folder / f"{number}.npz", folder / f"{number}.tsv"
        np.savez(source, images=pixels, labels=y)
        certify(model, source, log).works("pixels")
        same_rows(log, folder / "plain.tsv")
        audited(log, source)
    off = (x / 255).astype(np.float32)
    off[2, 0, 0, 0] = np.float32(100.4 / 255)
    np.savez(folder / "off.npz", images=off, labels=y)
    certify(model, folder / "off.npz", folder / "x.tsv").refused("image 2", "100", "8-bit")
    normalised = ((x / 255 - 0.5) / 0.25).astype(np.float32)
    np.savez(folder / "normalised.npz", images=normalised, labels=y)
    certify(model, folder / "normalised.npz", folder / "x.tsv").refused("normalised already")


@TABLE.row("no_labels.npz")
def no_labels(folder: Path) -> None:
    source, log, model = folder / "no_labels.npz", folder / "out.tsv", plain(folder)
    np.savez(source, images=images())
    certify(model, source, log).refused("--unlabelled")
    certify(model, source, log, "--unlabelled").works()
    assert _labels(log) == [-1, -1, -1]
    certify(model, image_file(folder), folder / "plain.tsv").works()
    assert [row[2:4] for row in rows(log)] == [row[2:4] for row in rows(folder / "plain.tsv")]
    audited(log, source)
    smoothcert("analyze", log, "--radii", "0,0.25").works("certified")
    aware = ("--unlabelled", "--label-aware", "--radii", "0,0.25")
    certify(model, source, folder / "x.tsv", *aware).refused("label-aware", "unlabelled")
    for number, name in enumerate("abc"):
        _photograph(folder / "flat" / f"{name}.png", number)
    flat = folder / "flat.tsv"
    certify(model, folder / "flat", flat, "--unlabelled", "--resize", 8).works()
    assert _labels(flat) == [-1, -1, -1]
