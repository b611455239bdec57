import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.engine.sources import ImageSource, open_source
from smoothcert.engine.sources.base import said_of
from smoothcert.engine.sources.options import SourceOptions

SPEC = InputSpec(3, 5, 4)
IMAGES = np.random.default_rng(0).integers(0, 256, (6, 5, 4, 3)).astype(np.uint8)
LABELS = np.arange(6) % 4


def save(folder: Path, **arrays: npt.NDArray[Any]) -> Path:
    folder.mkdir(exist_ok=True)
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    return folder


def opened(folder: Path, **options: Any) -> ImageSource:
    return open_source(folder, SPEC, 4, SourceOptions(**options))


def test_images_and_labels(tmp_path: Path) -> None:
    folder = save(tmp_path / "x", images=IMAGES, labels=LABELS)
    (folder / "README.md").touch()
    source = opened(folder)
    assert [source.label(i) for i in range(6)] == LABELS.tolist()
    np.testing.assert_array_equal(source.image(5), IMAGES[5].transpose(2, 0, 1))
    assert said_of(source) == ()
    both = (folder / "images.npy").read_bytes() + (folder / "labels.npy").read_bytes()
    assert source.describe() == {
        "kind": "npy", "name": "x", "images": 6, "classes": None,
        "digest": hashlib.sha256(both).hexdigest(),
    }  # fmt: skip


def test_the_arrays_of_cifar_10_c_and_10_1(tmp_path: Path) -> None:
    corrupted = save(tmp_path / "c", gaussian_noise=IMAGES, fog=255 - IMAGES, labels=LABELS)
    with pytest.raises(InputError, match=r"2 arrays of images .*--arrays fog,labels"):
        opened(corrupted)
    source = opened(corrupted, arrays=("fog", "labels"))
    np.testing.assert_array_equal(source.image(0), 255 - IMAGES[0].transpose(2, 0, 1))
    assert source.describe()["read_as"] == {"arrays": ["fog", "labels"]}
    other = opened(corrupted, arrays=("gaussian_noise.npy", "labels.npy"))
    assert other.describe()["digest"] != source.describe()["digest"]
    newer = tmp_path / "d"
    newer.mkdir()
    np.save(newer / "cifar10.1_v6_data.npy", IMAGES)
    np.save(newer / "cifar10.1_v6_labels.npy", LABELS)
    assert said_of(opened(newer)) == (
        "images from cifar10.1_v6_data, labels from cifar10.1_v6_labels",
    )


def test_without_labels(tmp_path: Path) -> None:
    folder = save(tmp_path / "x", images=IMAGES)
    with pytest.raises(InputError, match="give --unlabelled"):
        opened(folder)
    source = opened(folder, unlabelled=True)
    assert [source.label(i) for i in range(6)] == [-1] * 6
    assert source.describe()["read_as"] == {"unlabelled": True}


def test_pickled_and_damaged_arrays_are_refused(tmp_path: Path) -> None:
    folder = save(tmp_path / "x", images=IMAGES)
    np.save(folder / "labels.npy", np.array([{}], dtype=object), allow_pickle=True)
    for content in (None, b"", b"text", (folder / "images.npy").read_bytes()[:300]):
        if content is not None:
            (folder / "labels.npy").write_bytes(content)
        with pytest.raises(InputError, match=r"labels\.npy: cannot be loaded") as caught:
            opened(folder)
        assert "\n" not in str(caught.value)
    (folder / "labels.npy").unlink()
    os.mkfifo(folder / "labels.npy")
    with pytest.raises(InputError, match=r"labels\.npy: cannot be read \(it is a pipe\)"):
        opened(folder)


def test_class_folders_come_first(tmp_path: Path) -> None:
    folder = save(tmp_path / "x", images=IMAGES, labels=LABELS)
    (folder / "a").mkdir()
    with pytest.raises(InputError, match="holds 1 class folders"):
        opened(folder)
    assert len(opened(folder, arrays=("images", "labels"))) == 6
