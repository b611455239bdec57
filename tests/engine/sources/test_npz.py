import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.engine.sources.npz import open_npz

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
    np.savez(tmp_path / "x.npz", images=IMAGES, y=LABELS)
    with pytest.raises(InputError, match=r"has no array labels \(it has \['images', 'y'\]\)"):
        open_npz(tmp_path / "x.npz", "x", SPEC, 10)


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
