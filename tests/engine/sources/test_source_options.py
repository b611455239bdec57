"""What options exclude, which sources have a use for them, and what a manifest gives back."""

import io
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.engine.sources import open_source
from smoothcert.engine.sources.options import SourceOptions

FILE = Path("list.txt")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"labels": FILE, "unlabelled": True}, "--labels and --unlabelled exclude each other"),
        ({"classes": FILE, "unlabelled": True}, "--classes and --unlabelled exclude each other"),
        ({"arrays": ("x",)}, "--arrays x has 1 names: expected those of the images and of their"),
        ({"columns": ("x",)}, "--columns x has 1 names"),
        ({"arrays": ("x", "y"), "unlabelled": True}, "expected that of the images alone beside"),
    ],
)
def test_options_that_exclude_each_other(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        SourceOptions(**options)


def photograph() -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (4, 4)).save(stream, "PNG")
    return stream.getvalue()


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    (tmp_path / "val" / "a").mkdir(parents=True)
    (tmp_path / "val" / "a" / "x.png").write_bytes(photograph())
    np.savez(tmp_path / "x.npz", images=np.zeros((1, 4, 4, 3), np.uint8), labels=[0])
    (tmp_path / "cifar").mkdir()
    (tmp_path / "cifar" / "test_batch.bin").write_bytes(bytes(3073))
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        for name, data in (("x.png", photograph()), ("x.cls", b"0")):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return tmp_path


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("val", {"arrays": ("a", "b")}, r"--arrays is for \.npz .*: val is a folder of class"),
        ("val", {"columns": ("a", "b")}, "--columns is for parquet files: val is"),
        ("x.npz", {"labels": FILE}, r"--labels is for a folder of photographs .*: x\.npz is an"),
        ("x.npz", {"columns": ("a", "b")}, "--columns is for parquet"),
        ("x.tar", {"labels": FILE}, r"--labels is for .*: x\.tar is of tar archives"),
        ("cifar", {"classes": FILE}, "--classes is for sources that name their classes: cifar is"),
        ("cifar/test_batch.bin", {"arrays": ("a", "b")}, r"--arrays is for .*: test_batch\.bin is"),
    ],
)
def test_options_without_a_use_are_refused(
    sources: Path, name: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        open_source(sources / name, None, None, SourceOptions(**options))


@pytest.mark.parametrize("name", ["val", "x.npz", "x.tar", "cifar", "cifar/test_batch.bin"])
def test_every_source_can_be_read_without_labels(sources: Path, name: str) -> None:
    spec = InputSpec(3, 32, 32) if "cifar" in name else InputSpec(3, 4, 4)
    source = open_source(sources / name, spec, 10, SourceOptions(unlabelled=True))
    assert source.label(0) == -1
    assert source.describe()["read_as"] == {"unlabelled": True}
    assert source.image(0).shape == spec.shape


def test_a_log_gives_back_what_holds_no_labels() -> None:
    given = SourceOptions()
    recorded = {"read_as": {"arrays": ["x", "y"], "columns": ["a", "b"], "scale": "k"}}
    assert given.of_log(recorded) == SourceOptions(arrays=("x", "y"), columns=("a", "b"))
    own = SourceOptions(arrays=("u", "v"))
    assert own.of_log({"read_as": {"arrays": ["x", "y"]}}) == own
    assert given.of_log({"read_as": {"arrays": ["x"], "unlabelled": True}}) == SourceOptions(
        arrays=("x",), unlabelled=True
    )
    for plain in ({}, {"kind": "npz"}, None, {"read_as": 3}, {"read_as": {"unlabelled": 1}}):
        assert given.of_log(plain) == given


@pytest.mark.parametrize("name", ["labels", "classes"])
def test_lists_are_to_be_given_again(name: str) -> None:
    recorded = {"read_as": {name: {"name": "val.txt", "sha256": "0" * 64}}}
    with pytest.raises(InputError, match=rf"are from the list val\.txt: give it as --{name}"):
        SourceOptions().of_log(recorded)
    given = SourceOptions.among({name: FILE})
    assert given.of_log(recorded) == given
    assert SourceOptions().of_log({"read_as": {"classes": "ILSVRC-2012"}}) == SourceOptions()


@pytest.mark.parametrize("arrays", [["x"], ["x", "y", "z"], [1, 2], "xy", {"x": 1}])
def test_a_forged_manifest_is_no_traceback(arrays: object) -> None:
    try:
        found = SourceOptions().of_log({"read_as": {"arrays": arrays}})
    except InputError:
        return
    assert found.arrays is None
