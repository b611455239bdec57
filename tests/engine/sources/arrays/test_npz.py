import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.engine.sources.arrays.array_source import ArraySource
from smoothcert.engine.sources.arrays.npz import open_npz
from smoothcert.engine.sources.base import said_of, split_of
from smoothcert.engine.sources.options import SourceOptions

SPEC = InputSpec(1, 8, 8)
IMAGES = np.random.default_rng(0).integers(0, 256, (50, 8, 8)).astype(np.uint8)
LABELS = np.arange(50) % 10


class Trap:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.file,)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_reads_what_numpy_saves(tmp_path: Path, save: Any) -> None:
    file = tmp_path / "digits.npz"
    save(file, images=IMAGES, labels=LABELS)
    source = open_npz(file, "digits.npz", SPEC, 10)
    assert len(source) == 50
    assert [source.label(i) for i in range(50)] == LABELS.tolist()
    np.testing.assert_array_equal(source.image(7)[0], IMAGES[7])
    description = source.describe()
    assert description == {
        "kind": "npz",
        "name": "digits.npz",
        "images": 50,
        "classes": None,
        "digest": hashlib.sha256(file.read_bytes()).hexdigest(),
    }
    assert json.loads(json.dumps(description)) == description


def test_a_pickled_array_is_refused_and_not_run(tmp_path: Path) -> None:
    sprung = tmp_path / "sprung"
    images = np.array([Trap(sprung)], dtype=object)
    np.savez(tmp_path / "x.npz", images=images, labels=LABELS)
    with pytest.raises(InputError, match=r"x\.npz: cannot be loaded \(Object arrays"):
        open_npz(tmp_path / "x.npz", "x", SPEC, 10)
    assert not sprung.exists()


def test_a_missing_array_is_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", images=IMAGES, ids=LABELS)
    with pytest.raises(InputError, match=r"has no array labels \(it has images, ids\).*--unlab"):
        open_npz(tmp_path / "x.npz", "x", SPEC, 10)


def opened(file: Path, spec: InputSpec | None = SPEC, **options: Any) -> ArraySource:
    return open_npz(file, file.name, spec, 10, SourceOptions(**options))


def test_the_test_split_of_keras(tmp_path: Path) -> None:
    file = tmp_path / "keras.npz"
    np.savez(
        file, x_train=IMAGES[:30], y_train=LABELS[:30], x_test=IMAGES[30:], y_test=LABELS[30:, None]
    )
    source = opened(file)
    assert len(source) == 20
    np.testing.assert_array_equal(source.image(0)[0], IMAGES[30])
    assert [source.label(i) for i in range(20)] == LABELS[30:].tolist()
    assert said_of(source) == ("images from x_test, labels from y_test, not its training images",)
    assert split_of(source) == "test"
    described = source.describe()
    assert described["read_as"] == {"arrays": ["x_test", "y_test"]}
    asked = opened(file, arrays=("x_test", "y_test"))
    assert (asked.describe(), said_of(asked)) == (described, ())
    trained = opened(file, arrays=("x_train", "y_train"))
    assert len(trained) == 30
    assert trained.describe()["read_as"] == {"arrays": ["x_train", "y_train"]}


def test_floats_and_channels_first(tmp_path: Path) -> None:
    """What torch leaves: [N, C, H, W] in [0, 1], labels as they are logits."""
    colour = np.stack([IMAGES, 255 - IMAGES, IMAGES // 2], axis=1)
    np.savez(
        tmp_path / "x.npz", images=(colour / 255).astype(np.float32), labels=np.eye(10)[LABELS]
    )
    source = opened(tmp_path / "x.npz", InputSpec(3, 8, 8))
    for index in range(50):
        np.testing.assert_array_equal(source.image(index), colour[index])
        assert source.label(index) == LABELS[index]
    assert said_of(source) == (
        "images are [N, C, H, W]: transposed",
        "pixels are stored as k/255 in float32",
        "labels are the places of the 1 in rows of 10",
    )
    assert source.describe()["read_as"] == {"layout": "NCHW", "scale": "k/255", "one_hot": 10}
    assert json.loads(json.dumps(source.describe())) == source.describe()


def test_images_without_labels(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", images=IMAGES)
    source = opened(tmp_path / "x.npz", unlabelled=True)
    assert [source.label(i) for i in range(50)] == [-1] * 50
    assert source.describe()["read_as"] == {"unlabelled": True}
    np.savez(tmp_path / "y.npz", images=IMAGES, labels=LABELS)
    assert opened(tmp_path / "y.npz", unlabelled=True).label(7) == -1


def test_members_that_are_no_arrays_are_passed_over(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", images=IMAGES, labels=LABELS)
    with zipfile.ZipFile(tmp_path / "x.npz", "a") as archive:
        archive.writestr("README.md", "text")
        archive.writestr("odd.npy", b"no header")
    assert len(opened(tmp_path / "x.npz")) == 50
    with pytest.raises(InputError, match=r"x\.npz: "):
        opened(tmp_path / "x.npz", arrays=("README.md", "labels"))


def test_damaged_files_are_named(tmp_path: Path) -> None:
    file = tmp_path / "x.npz"
    np.savez_compressed(file, images=IMAGES, labels=LABELS)
    whole = file.read_bytes()
    with (tmp_path / "single").open("wb") as stream:
        np.save(stream, IMAGES)
    single = (tmp_path / "single").read_bytes()
    cases = [b"", b"text", whole[: len(whole) // 2], whole[:200] + bytes(200) + whole[400:], single]
    for content in cases:
        file.write_bytes(content)
        with pytest.raises(InputError, match=r"x\.npz: ") as caught:
            open_npz(file, "x", SPEC, 10)
        assert "\n" not in str(caught.value)


def test_a_header_that_speaks_of_too_much_memory_is_refused(tmp_path: Path) -> None:
    header = "{'descr': '|u1', 'fortran_order': False, 'shape': (1000000000000, 1000, 1000), }"
    header = header.ljust(117) + "\n"
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr(
            "images.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode()
        )
        archive.writestr("labels.npy", b"")
    with pytest.raises(InputError, match=r"x\.npz: cannot be loaded"):
        open_npz(tmp_path / "x.npz", "x", SPEC, 10)
