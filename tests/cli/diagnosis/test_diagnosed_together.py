"""Whether images fit a model: what doctor says of the two, and whether its command works."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from doctored import doctor, typed
from foreign_models import CLASSES, classifier, images, value
from PIL import Image


def light_and_dark(path: Path, labels: npt.NDArray[np.int64]) -> Path:
    """Images that are light where the label's parity is odd, dark where it is even."""
    base = np.where(np.arange(len(labels)) % 2, 200, 50)
    pixels = np.broadcast_to(base[:, None, None, None], (len(labels), 6, 6, 3))
    np.savez(path, images=pixels.astype(np.uint8), labels=labels)
    return path


@pytest.fixture
def signed(linear_model: Callable[..., Path]) -> Path:
    """A classifier of pixels in [-1, 1]: class 1 where they are above 0 on the average."""
    weight = np.stack([-np.ones(108), np.ones(108), np.full(108, -9)]) / 108
    return linear_model(weight, np.array([0, 0, -20]), (3, 6, 6), name="signed.onnx")


def test_images_that_fit_are_counted_and_certified(tmp_path: Path) -> None:
    model, source = classifier(tmp_path / "m.onnx"), images(tmp_path / "im.npz")
    found = doctor(model, source)
    assert found.status == 0
    assert found.states("fit") == ["yes"]
    assert found.states("clean accuracy")[0].endswith(" of 6")
    assert doctor(source, model).commands == found.commands
    typed(found.commands[-1], tmp_path, "--n", "50")
    assert len((tmp_path / "out.tsv").read_text().splitlines()) == 7


def test_open_sides_are_filled_by_the_images(tmp_path: Path) -> None:
    model = classifier(tmp_path / "m.onnx", inputs=[value("x", ["n", "c", "h", "w"])])
    found = doctor(model, images(tmp_path / "im.npz"))
    assert found.status == 0
    assert found.commands[-1][-2:] == ["--input-shape", "3,8,8"]


def test_the_output_that_the_labels_fit_is_proposed(tmp_path: Path) -> None:
    model = classifier(
        tmp_path / "m.onnx", outputs=[value("g", ["N", 3, 1, 1]), value("y", ["N", CLASSES])]
    )
    found = doctor(model, images(tmp_path / "im.npz"))
    assert found.states("fit") == ["no", "yes"]
    assert found.commands[-1][-2:] == ["--logits", "y"]


def test_another_normalisation_that_works_better_is_a_hint(tmp_path: Path, signed: Path) -> None:
    source = light_and_dark(tmp_path / "im.npz", np.arange(20) % 2)
    found = doctor(signed, source)
    assert found.states("clean accuracy") == ["10 of 20"]
    assert "with it 20 of 20" in found.notes("--input-range -1,1")[0]
    assert "--input-range" not in found.commands[-1]
    told = doctor(signed, source, "--input-range", "-1,1")
    assert told.states("clean accuracy") == ["20 of 20"]
    assert told.notes("--input-range -1,1") == []
    assert told.commands[-1][-2:] == ["--input-range", "-1,1"]


def test_labels_counted_from_one_are_a_hint(tmp_path: Path, signed: Path) -> None:
    source = light_and_dark(tmp_path / "im.npz", np.arange(20) % 2 + 1)
    found = doctor(signed, source, "--input-range", "-1,1")
    assert found.states("clean accuracy") == ["0 of 20"]
    assert any("counted from 1" in note for note in found.notes("labels"))


def test_photographs_of_another_size_want_a_resize(tmp_path: Path) -> None:
    for name in "abcde":
        (tmp_path / "val" / name).mkdir(parents=True)
        pixels = np.random.default_rng(ord(name)).integers(0, 256, (12, 10, 3))
        Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / "val" / name / "1.png")
    found = doctor(classifier(tmp_path / "m.onnx"), tmp_path / "val")
    assert found.status == 0
    assert "12x10" in found.notes("as it stands")[0]
    assert found.states("option") == ["--resize 8"]
    typed(found.commands[-1], tmp_path, "--n", "50")


def test_every_choice_of_labels_is_tried_with_the_model(tmp_path: Path) -> None:
    """Photographs in one folder, of another size, with two lists beside them that may be meant."""
    (tmp_path / "val").mkdir()
    for number in range(3):
        pixels = np.random.default_rng(number).integers(0, 256, (12, 10, 3))
        Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / "val" / f"{number}.png")
    (tmp_path / "fine.txt").write_text("0.png 17\n1.png 0\n2.png 4\n")
    (tmp_path / "coarse.txt").write_text("0.png 1\n1.png 0\n2.png 4\n")
    found = doctor(classifier(tmp_path / "m.onnx"), tmp_path / "val")
    assert found.status == 0
    assert found.states("fit") == ["yes", "no", "yes"]
    first, unlabelled = found.commands
    assert first[-4:] == ["--resize", "8", "--labels", str(tmp_path / "coarse.txt")]
    assert unlabelled[-1] == "--unlabelled"
    assert doctor(*first[2:]).states("fit") == ["yes"]


def test_labels_beyond_the_classes_do_not_fit(tmp_path: Path) -> None:
    found = doctor(
        classifier(tmp_path / "m.onnx", classes=3), images(tmp_path / "im.npz", classes=5)
    )
    assert found.status == 1
    assert found.states("as it stands") == ["refused"]
    assert found.commands == []


def test_a_model_is_tried_with_every_source(tmp_path: Path) -> None:
    model, first = classifier(tmp_path / "m.onnx"), images(tmp_path / "a.npz")
    second = images(tmp_path / "b.npz", shape=(16, 16, 3))
    found = doctor(first, model, second)
    assert found.states("fit") == ["yes", "yes"]
    assert [words[3] for words in found.commands] == [str(first), str(second)]
    assert found.commands[-1][-2:] == ["--resize", "8"]
    other = classifier(tmp_path / "n.onnx", classes=3)
    found = doctor(model, other, first)
    assert [words[2] for words in found.commands] == [str(model)]
    assert found.status == 1


def test_images_that_do_not_open_are_refused_once(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    found = doctor(classifier(tmp_path / "m.onnx"), tmp_path / "empty")
    assert found.status == 1
    assert len(found.notes("as it stands")) == 1
    assert found.states("fit") == ["missing"]


def test_many_images_are_sampled(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (1200, 8, 8, 3)).astype(np.uint8)
    np.savez(tmp_path / "im.npz", images=pixels, labels=np.arange(1200) % CLASSES)
    found = doctor(classifier(tmp_path / "m.onnx"), tmp_path / "im.npz")
    assert found.commands[-1][-2:] == ["--sample", "500"]


def test_a_model_that_does_not_open_leaves_the_fit_open(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(b"\x00\x01" * 99)
    found = doctor(tmp_path / "m.onnx", images(tmp_path / "im.npz"))
    assert found.status == 1
    assert found.states("fit") == ["missing"]
