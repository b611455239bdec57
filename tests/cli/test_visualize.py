import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

RUN = [sys.executable, "-m", "smoothcert.cli.main", "visualize"]


def visualize(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [*RUN, *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture
def source(tmp_path: Path) -> str:
    images = np.random.default_rng(0).integers(0, 256, (5, 12, 10, 3)).astype(np.uint8)
    np.savez(tmp_path / "few.npz", images=images, labels=np.arange(5))
    return "few.npz"


def test_pictures_of_an_array_have_its_size(source: str, tmp_path: Path) -> None:
    done = visualize(tmp_path, source, "out", "4", "0", "0.25", "1")
    assert done.returncode == 0, done.stderr
    names = ["4_0.png", "4_25.png", "4_100.png", "4_sheet.png"]
    assert [Path(line).name for line in done.stdout.splitlines()] == names
    assert {path.name for path in (tmp_path / "out").iterdir()} == set(names)
    assert Image.open(tmp_path / "out" / "4_25.png").size == (10, 12)


def test_photographs_are_cropped_as_models_see_them(tmp_path: Path) -> None:
    (tmp_path / "val" / "n01").mkdir(parents=True)
    Image.new("RGB", (300, 400), (90, 120, 30)).save(tmp_path / "val" / "n01" / "a.jpg")
    assert visualize(tmp_path, "val", "out", "0", "0.5").returncode == 0
    assert Image.open(tmp_path / "out" / "0_50.png").size == (224, 224)
    done = visualize(
        tmp_path, "val", "small", "0", "0.5", "--input-shape", "1,32,48", "--resize", "64"
    )
    assert done.returncode == 0, done.stderr
    small = Image.open(tmp_path / "small" / "0_50.png")
    assert (small.size, small.mode) == ((48, 32), "L")


def test_sources_that_others_wrote(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, 12, 10, 3)).astype(np.uint8)
    np.savez(tmp_path / "k.npz", x_train=images, y_train=[3, 4], x_test=images, y_test=[0, 1])
    done = visualize(tmp_path, "k.npz", "out", "1", "0")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == (
        "k.npz: images from x_test, labels from y_test, not its training images"
    )
    done = visualize(tmp_path, "k.npz", "out2", "1", "0", "--arrays", "x_train", "--unlabelled")
    assert done.returncode == 0, done.stderr
    assert (np.asarray(Image.open(tmp_path / "out2" / "1_0.png")) == images[1]).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["few.npz", "out", "5", "0.25"], "has no image 5: expected 0..4"),
        (["few.npz", "out", "-1", "0.25"], "-1"),
        (["few.npz", "out", "0", "9"], "sigma 9.0 is out of range"),
        (["few.npz", "out", "0"], "SIGMA"),
        (["none.npz", "out", "0", "0.25"], "none.npz"),
        (["few.npz", "out", "0", "0.25", "--input-shape", "3,x"], "is no list of 3 numbers"),
        (["few.npz", "out", "0", "0.25", "--input-shape", "3,32,32"], "images are 12x10x3"),
        (["few.npz", "few.npz", "0", "0.25"], "few.npz"),
        (["few.npz", "out", "0", "0", "--arrays", "a,b,c"], "is no list of one or two names"),
        (["few.npz", "out", "0", "0", "--labels", "x.txt"], "--labels is for a folder"),
    ],
)
def test_mistakes_are_one_line_and_exit_2(
    source: str, tmp_path: Path, arguments: list[str], message: str
) -> None:
    done = visualize(tmp_path, *arguments)
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1
    assert message in done.stderr
    assert not (tmp_path / "out").exists()
