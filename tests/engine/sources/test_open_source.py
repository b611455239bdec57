"""open_source: which kind of source a path is, and what it says where there is none."""

import io
import os
import pickle
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from smoothcert.engine.base.errors import InputError, MissingPartError
from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.engine.sources import ImageSource, PhotographSource, open_source
from smoothcert.engine.sources.base import said_of, split_of

SPEC = InputSpec(3, 4, 4)


def png(grey: int = 0) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (4, 4), (grey, grey, grey)).save(stream, "PNG")
    return stream.getvalue()


def write_tar(file: Path, grey: int = 0) -> None:
    with tarfile.open(file, "w") as tar:
        for name, data in ((f"{grey}.png", png(grey)), (f"{grey}.cls", b"0")):
            header = tarfile.TarInfo(name)
            header.size = len(data)
            tar.addfile(header, io.BytesIO(data))


def write_parquet(file: Path, grey: int = 0) -> None:
    arrow = pytest.importorskip("pyarrow", reason="parquet sources need pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    table = arrow.table({"image": [{"bytes": png(grey), "path": None}], "label": [0]})
    parquet.write_table(table, file)


def write_folder(folder: Path) -> None:
    (folder / "n01").mkdir(parents=True)
    (folder / "n01" / "x.JPEG").write_bytes(png())


def write_idx(folder: Path) -> None:
    (folder / "t10k-images-idx3-ubyte").write_bytes(
        b"\0\0\x08\x03" + b"".join(n.to_bytes(4, "big") for n in (1, 4, 4)) + bytes(16)
    )
    (folder / "t10k-labels-idx1-ubyte").write_bytes(b"\0\0\x08\x01\0\0\0\x01\0")


def greys(source: ImageSource) -> list[int]:
    return [int(source.image(i)[0, 0, 0]) for i in range(len(source))]


def test_each_kind_is_recognised(tmp_path: Path) -> None:
    write_folder(tmp_path / "val")
    write_tar(tmp_path / "x.TAR")
    write_parquet(tmp_path / "x.parquet")
    np.savez(tmp_path / "x.npz", images=np.zeros((1, 4, 4, 3), np.uint8), labels=[0])
    (tmp_path / "mnist").mkdir()
    write_idx(tmp_path / "mnist")
    grey = InputSpec(1, 4, 4)
    for name, kind, spec in (
        ("val", "folder", SPEC),
        ("x.TAR", "webdataset", SPEC),
        ("x.parquet", "parquet", SPEC),
        ("x.npz", "npz", SPEC),
        ("mnist", "idx", grey),
        ("mnist/t10k-images-idx3-ubyte", "idx", grey),
    ):
        source = open_source(str(tmp_path / name), spec, 1)
        description = source.describe()
        assert description["kind"] == kind
        assert description["name"] == name.rpartition("/")[2]
        assert description["images"] == len(source) == 1
        assert source.label(0) == 0
        assert source.image(0).shape == spec.shape
        assert len(description["digest"]) == 64


def test_the_name_is_the_folders_however_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_folder(tmp_path / "val")
    monkeypatch.chdir(tmp_path / "val")
    for path in (".", "../val", "../val/", str(tmp_path / "val"), Path("n01/..")):
        assert open_source(path, SPEC, 1).describe()["name"] == "val"


def test_patterns_of_archives_keep_their_order(tmp_path: Path) -> None:
    for i in range(3):
        write_tar(tmp_path / f"v-{i:03}.tar", i)
    assert greys(open_source(f"{tmp_path}/v-{{000..002}}.tar", SPEC, 1)) == [0, 1, 2]
    assert greys(open_source(f"{tmp_path}/v-*.tar", SPEC, 1)) == [0, 1, 2]
    source = open_source(f"{tmp_path}/v-{{002,000}}.tar", SPEC, 1)
    assert greys(source) == [2, 0]
    assert source.describe()["name"] == "v-{002,000}.tar"


def test_a_folder_of_one_split_of_parquet_files(tmp_path: Path) -> None:
    for i in range(2):
        write_parquet(tmp_path / f"test-0000{i}-of-00002.parquet", i)
    (tmp_path / "README.md").touch()
    assert greys(open_source(tmp_path, SPEC, 1)) == [0, 1]


@pytest.mark.parametrize("inner", ["", "data"])
@pytest.mark.parametrize("other", ["train-00000-of-00001.parquet", "train.parquet"])
def test_of_several_splits_the_test_images_are_taken(
    tmp_path: Path, other: str, inner: str
) -> None:
    """Also in `data`, where a clone from Hugging Face's hub has them."""
    folder = tmp_path / "x" / inner
    folder.mkdir(parents=True)
    write_parquet(folder / "test-00000-of-00001.parquet", 7)
    write_parquet(folder / other)
    source = open_source(tmp_path / "x", SPEC, 1)
    assert greys(source) == [7]
    assert said_of(source) == ("images of the split test, not of train",)
    assert split_of(source) == "test"
    assert (
        source.describe()["digest"]
        == (open_source(folder / "test-00000-of-00001.parquet", SPEC, 1).describe()["digest"])
    )


@pytest.mark.parametrize(
    "other", ["train-00000-of-00001.parquet", "train.parquet", "extra-00000-of-00001.parquet"]
)
def test_a_folder_of_several_splits_is_refused(tmp_path: Path, other: str) -> None:
    """Without a test split."""
    write_parquet(tmp_path / "validation-00000-of-00001.parquet")
    write_parquet(tmp_path / other)
    split = other.partition("-")[0].removesuffix(".parquet")
    with pytest.raises(InputError, match=r"holds the splits .*expected one") as caught:
        open_source(tmp_path, SPEC, 1)
    assert split in str(caught.value)
    assert len(open_source(f"{tmp_path}/validation-*.parquet", SPEC, 1)) == 1
    assert len(open_source(str(caught.value).split("'")[1], SPEC, 1)) == 1


@pytest.mark.parametrize(
    ("test", "train"),
    [
        ("Test.parquet", "Train.parquet"),
        ("cifar10_test.parquet", "cifar10_train.parquet"),
        ("testing.parquet", "training.parquet"),
        ("x-TEST.parquet", "x-train-00000-of-00001.parquet"),
    ],
)
def test_splits_by_other_names_are_not_mixed(tmp_path: Path, test: str, train: str) -> None:
    write_parquet(tmp_path / test, 7)
    write_parquet(tmp_path / train)
    assert greys(open_source(tmp_path, SPEC, 1)) == [7]


def test_without_pyarrow_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "x.parquet").touch()
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingPartError, match=r"smoothcert\[parquet\]"):
        open_source(tmp_path / "x.parquet", SPEC, 1)


def test_class_folders_may_lie_beside_archives(tmp_path: Path) -> None:
    write_folder(tmp_path)
    write_tar(tmp_path / "spare.tar")
    assert open_source(tmp_path, SPEC, 1).describe()["kind"] == "folder"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gone", "gone does not exist"),
        ("empty", "empty: holds 0 files and no class folders"),
        ("shards", r"holds 1 files and no class folders.*shards/\*\.tar"),
        ("cat.jpg", r"cat\.jpg: is a photograph, and no image source by its name: give its folder"),
        ("cat.xyz", r"cat\.xyz: is no image source by its name"),
        ("x.pt", r"x\.pt: is a pickle, which is a program and is not run"),
        ("x.h5", r"x\.h5: is of a format that is not read; save its .* numpy\.savez"),
        ("x.zip", r"x\.zip: is compressed; unpack it"),
        ("x.npy", r"x\.npy: is a single array; give its folder"),
        ("val.txt", r"val\.txt: is a list of labels: give its folder, and this as --labels"),
        ("t10k-labels-idx1-ubyte", "is no image source by its name"),
        ("x.tar.gz", r"x\.tar\.gz: is compressed by gzip"),
        ("x.tgz", r"x\.tgz: is compressed by gzip"),
        ("{x.npz,y.npz}", "names 2 npz files: expected one at a time"),
        ("{x.npz,x.tar}", "kinds npz, tar: expected 1"),
        ("{empty,shards}", "is one of several folders"),
        ("pretend.npz/x.npz", "pretend.npz/x.npz does not exist"),
        ("pretend.npz", r"pretend\.npz: holds 0 files"),
    ],
)
def test_what_is_no_source_is_refused(tmp_path: Path, name: str, message: str) -> None:
    for folder in ("empty", "shards", "pretend.npz"):
        (tmp_path / folder).mkdir()
    write_tar(tmp_path / "shards" / "0.tar")
    write_tar(tmp_path / "x.tar")
    for file in (
        "cat.jpg", "cat.xyz", "t10k-labels-idx1-ubyte", "x.npz", "y.npz", "x.pt", "x.h5", "x.zip",
        "x.npy", "val.txt",
    ):  # fmt: skip
        (tmp_path / file).write_bytes(b"")
    for file in ("x.tar.gz", "x.tgz"):
        (tmp_path / file).write_bytes(b"\x1f\x8b\x08")
    with pytest.raises(InputError, match=message) as caught:
        open_source(tmp_path / name, SPEC, 1)
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read everything")
@pytest.mark.parametrize("name", ["val", "x.tar", "x.npz"])
def test_what_may_not_be_read_is_named(tmp_path: Path, name: str) -> None:
    write_folder(tmp_path / "val")
    write_tar(tmp_path / "x.tar")
    np.savez(tmp_path / "x.npz", images=np.zeros((1, 4, 4, 3), np.uint8), labels=[0])
    (tmp_path / name).chmod(0)
    try:
        with pytest.raises(InputError, match="Permission denied"):
            open_source(tmp_path / name, SPEC, 1)
    finally:
        (tmp_path / name).chmod(0o700)


@pytest.mark.parametrize(
    "name",
    ["x.npz", "x.tar", "x.parquet", "test_batch.bin", "t10k-images-idx3-ubyte", "cifar", "idx",
     "parquets"],
)  # fmt: skip
def test_pipes_are_refused_and_not_waited_for(tmp_path: Path, name: str) -> None:
    if "parquet" in name:
        pytest.importorskip("pyarrow", reason="parquet sources need pyarrow")
    inner = {"cifar": "test_batch", "idx": "t10k-images-idx3-ubyte", "parquets": "x.parquet"}
    if name in inner:
        (tmp_path / name).mkdir()
    os.mkfifo(tmp_path / name / inner[name] if name in inner else tmp_path / name)
    (tmp_path / "t10k-labels-idx1-ubyte").touch()
    if name == "idx":
        (tmp_path / "idx" / "t10k-labels-idx1-ubyte").touch()
    with pytest.raises(InputError, match=r"cannot be read \(it is a pipe\)"):
        open_source(tmp_path / name, InputSpec(1, 28, 28), 10)


def test_what_save_to_disk_writes(tmp_path: Path) -> None:
    """Arrow streams, of one split or of several in folders of their own."""
    arrow = pytest.importorskip("pyarrow", reason="arrow sources need pyarrow")
    for grey, split in enumerate(("test", "train")):
        (tmp_path / "x" / split).mkdir(parents=True)
        (tmp_path / "x" / split / "dataset_info.json").write_text("{}")
        rows = [{"bytes": png(10 * grey + i), "path": None} for i in range(3)]
        table = arrow.table({"img": rows, "label": [2, 0, 1]})
        for part, some in enumerate((table[:2], table[2:])):
            file = str(tmp_path / "x" / split / f"data-0000{part}-of-00002.arrow")
            with arrow.OSFile(file, "wb") as sink, arrow.ipc.new_stream(sink, some.schema) as out:
                out.write_table(some)
    (tmp_path / "x" / "dataset_dict.json").write_text('{"splits": ["test", "train"]}')
    source = open_source(tmp_path / "x" / "train", SPEC, 3)
    assert greys(source) == [10, 11, 12]
    assert [source.label(i) for i in range(3)] == [2, 0, 1]
    described = source.describe()
    assert (described["kind"], described["read_as"]) == ("arrow", {"columns": ["img", "label"]})
    again = pickle.loads(pickle.dumps(source))
    assert greys(again) == [10, 11, 12]
    both = open_source(tmp_path / "x", SPEC, 3)
    assert greys(both) == [0, 1, 2]
    assert said_of(both)[0] == "images of the split test, not of train"
    (tmp_path / "x" / "test" / "data-00001-of-00002.arrow").write_bytes(b"cut")
    with pytest.raises(InputError, match=r"arrow: cannot be read as arrow") as caught:
        open_source(tmp_path / "x", SPEC, 3)
    assert "\n" not in str(caught.value)


def test_a_dangling_link_is_named(tmp_path: Path) -> None:
    (tmp_path / "test_batch.bin").symlink_to(tmp_path / "gone")
    with pytest.raises(InputError, match=r"test_batch\.bin is a link to a file that is not there"):
        open_source(tmp_path, SPEC, 10)


def test_opening_needs_no_optional_package() -> None:
    program = (
        "import sys, smoothcert.engine.sources\n"
        "print([m for m in ('torch', 'pyarrow', 'onnx', 'numba') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_photographs_can_be_had_whole(tmp_path: Path) -> None:
    """From each source of photographs: their own size, whatever the model's; arrays have none."""
    stream = io.BytesIO()
    Image.new("RGB", (60, 40), (200, 100, 50)).save(stream, "PNG")
    (tmp_path / "val" / "a").mkdir(parents=True)
    (tmp_path / "val" / "a" / "x.png").write_bytes(stream.getvalue())
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        for name, data in (("x.png", stream.getvalue()), ("x.cls", b"0")):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    for path in (tmp_path / "val", tmp_path / "x.tar"):
        source = open_source(path, InputSpec(1, 8, 8, resize=10), None)
        assert isinstance(source, PhotographSource)
        assert (source.whole(0).size, source.whole(0).mode) == ((60, 40), "L")
        own = open_source(path, None, None)
        assert own.image(0).shape == (3, 224, 224)
    np.savez(tmp_path / "x.npz", images=np.zeros((2, 8, 8), np.uint8), labels=np.arange(2))
    assert not isinstance(open_source(tmp_path / "x.npz", None, None), PhotographSource)
