"""Images that break what reads them: bombs, shared structures without end, warnings, names that are
no text. They are refused in one line, or they work and are recorded as text."""

import contextlib
import gzip
import io
import os
import pickle
import struct
import subprocess
import sys
import tarfile
import warnings
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hostile_files import KINDS, fuzz_one, mutated, true_file
from hypothesis import given, settings
from PIL import Image

from smoothcert.cli.main import main
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.engine.base.memory import available_memory
from smoothcert.engine.log.manifest import read_manifest
from smoothcert.engine.sources import open_source, photograph
from smoothcert.engine.sources.base import reason_of
from smoothcert.engine.sources.options import SourceOptions

_LONG = 120  # seconds: a bomb takes hours
_SETTINGS = ("--sigma", "0.25", "--n", "100", "--backend", "onnxruntime", "--seed", "0")
_NO_UNICODE = os.fsdecode(b"b\xff")

needs_memory_told = pytest.mark.skipif(
    available_memory() is None, reason="the system does not say how much memory is left"
)


def refusal(path: Path, options: SourceOptions | None = None) -> str:
    """Why a source is refused, in one printable line."""
    with pytest.raises(InputError) as refused:
        open_source(path, None, None, options or SourceOptions())
    assert str(refused.value).isprintable()
    return str(refused.value)


def ended(*arguments: object) -> int | str | None:
    """The status that a command ends with."""
    with pytest.raises(SystemExit) as end:
        main(list(map(str, arguments)))
    return end.value.code


# Bombs


def nested(make: type, width: int, depth: int) -> Any:
    """A container of containers, of which each holds one and the same below it."""
    found: Any = make([0] * width)
    for _ in range(depth):
        found = make([found] * width)
    return found


_PLANES = np.zeros((1, 3072), np.uint8)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        pytest.param(
            pickle.dumps({"data": _PLANES, "labels": nested(list, 40, 8)}, 2),
            "labels are no list of integers", id="C1 nested lists for labels",
        ),
        pytest.param(
            pickle.dumps({"data": _PLANES, "labels": [0], "x": {nested(tuple, 40, 3): 0}}, 2)
            .replace(b"X\1\0\0\0x", b"X\1\0\0\0y"),
            "uses a tuple twice", id="C1 nested tuples for a key",
        ),
        pytest.param(b"\x80\x02}r\xff\xff\xff\x7f.", "keeps a value in place",
                     id="C1 a place far off in the memo"),
        pytest.param(b"\x80\x04\x8f.", "EMPTY_SET", id="C1 a set"),
    ],
)  # fmt: skip
def test_a_pickle_costs_no_more_than_its_length(tmp_path: Path, content: bytes, why: str) -> None:
    (tmp_path / "test_batch").write_bytes(content)
    assert why in refusal(tmp_path / "test_batch")


def npz_of(path: Path, images: bytes, says: int | None = None) -> Path:
    """An archive of an array's bytes, whose directory may say another size of it."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("images.npy", images)
        if says is not None:
            archive.filelist[0].file_size = says
    return path


def npy_header(shape: tuple[int, ...]) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        stream, {"descr": "|u1", "fortran_order": False, "shape": shape}
    )
    return stream.getvalue()


@needs_memory_told
def test_z1_an_array_larger_than_memory_is_refused_by_its_header(tmp_path: Path) -> None:
    header = npy_header((10**6, 1000, 1000, 3))
    path = npz_of(tmp_path / "x.npz", header, says=3 * 10**12 + len(header))
    assert "needs 3,000.0 GB of memory" in refusal(path, SourceOptions(unlabelled=True))


def test_z1_an_array_that_says_more_than_its_member_holds(tmp_path: Path) -> None:
    path = npz_of(tmp_path / "x.npz", npy_header((10**6, 1000, 1000, 3)))
    assert "has 0 bytes of data, its header says" in refusal(path)


def test_z1_a_header_without_end_is_not_read(tmp_path: Path) -> None:
    content = b"\x93NUMPY\2\0" + struct.pack("<I", 2**31) + b" " * 10**6
    path = npz_of(tmp_path / "x.npz", content)
    assert "its member images is no array" in refusal(path, SourceOptions(unlabelled=True))


@needs_memory_told
def test_z1_floats_of_a_file_of_holes_are_refused_by_their_number(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    shape = (10**5, 2000, 1000, 3)
    with (tmp_path / "x" / "images.npy").open("wb") as file:
        header = {"descr": "<f2", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        file.truncate(file.tell() + 2 * 6 * 10**11)
    assert "needs 600.0 GB of memory" in refusal(tmp_path / "x", SourceOptions(unlabelled=True))


@needs_memory_told
def test_z1_a_compressed_idx_file_is_refused_by_its_header(tmp_path: Path) -> None:
    header = struct.pack(">4B3I", 0, 0, 8, 3, 60_000, 10_000, 10_000)
    content = gzip.compress(header + bytes(3 << 20))
    (tmp_path / "t10k-images-idx3-ubyte.gz").write_bytes(content)
    assert "needs 6,000.0 GB" in refusal(tmp_path, SourceOptions(unlabelled=True))


def tar_of(path: Path, members: dict[bytes, bytes], **header: Any) -> Path:
    """A tar of members, whose names are bytes."""
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT, errors="surrogateescape") as tar:
        for name, data in members.items():
            member = tarfile.TarInfo(os.fsdecode(name))
            member.size = len(data)
            for key, value in header.items():
                setattr(member, key, value)
            tar.addfile(member, io.BytesIO(data))
    return path


def test_a_member_that_describes_the_next_one_without_end_is_not_read(tmp_path: Path) -> None:
    """Of a sparse file of 64 GB, as a header of pax it would be read whole."""
    path = tmp_path / "x.tar"
    block = bytearray(tarfile.TarInfo("x").tobuf(tarfile.GNU_FORMAT))
    block[124:136] = b"\x80" + (1 << 36).to_bytes(11, "big")
    block[156:157] = tarfile.XHDTYPE
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    with path.open("wb") as file:
        file.write(block)
        file.truncate(1 << 36)
    assert "a header of" in refusal(path)


def test_a_label_in_a_tar_is_short(tmp_path: Path) -> None:
    path = tar_of(tmp_path / "x.tar", {b"a.png": png(), b"a.cls": bytes(1 << 21)})
    assert "a.cls has 2,097,152 bytes: expected at most" in refusal(path)


# Warnings


def png(size: tuple[int, int] = (6, 6)) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", size, (9, 8, 7)).save(stream, "PNG")
    return stream.getvalue()


def decoding_warns(data: bytes) -> bool:
    """Whether Pillow by itself warns of a photograph."""
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            with Image.open(io.BytesIO(data)) as image:
                image.load()
        except Exception:  # which is not what is asked here
            pass
    return bool(warned)


def check_silent(data: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        with contextlib.suppress(InputError):
            photograph.decode_whole(data, "x", 3)
    assert not warned
    assert capfd.readouterr().err == ""


def test_d1_a_large_photograph_is_told_in_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    data = bytearray(png())
    data[16:24] = struct.pack(">2I", 12_000, 12_000)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    assert decoding_warns(bytes(data))
    check_silent(bytes(data), capfd)


def test_d1_damaged_tiffs_are_told_in_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    whole = true_file("TIFF")
    damaged = [whole[:at] + b"\xff" + whole[at + 1 :] for at in range(8, len(whole))]
    warning = [data for data in damaged if decoding_warns(data)]
    assert warning
    for data in warning:
        check_silent(data, capfd)


def test_d1_what_pillow_logs_of_a_tiff_is_not_printed(tmp_path: Path) -> None:
    """Of more samples than a pixel can have; of logging that nobody has set up, in a process of its
    own."""
    entries = [(256, 9), (257, 9), (258, 8), (259, 1), (262, 2), (273, 8), (277, 768), (279, 81)]
    directory = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries)
    data = b"II*\0" + struct.pack("<IH", 8, len(entries)) + directory + bytes(4)
    (tmp_path / "x.tiff").write_bytes(data)
    program = (
        "import sys; from smoothcert.engine.sources import photograph\n"
        "try: photograph.decode_whole(open(sys.argv[1], 'rb').read(), 'x', 3)\n"
        "except ValueError as error: print(error)"
    )
    arguments = [sys.executable, "-c", program, str(tmp_path / "x.tiff")]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=_LONG, check=True)
    assert "cannot be decoded" in done.stdout
    assert done.stderr == ""


def test_an_image_beyond_memory_is_told_in_words() -> None:
    assert reason_of(MemoryError()) == (
        "does not fit in memory: expected a smaller image; resize or remove it"
    )


@needs_memory_told
def test_an_image_of_holes_is_refused_by_its_size(tmp_path: Path) -> None:
    """Of an array that is mapped: not one of its pages is read."""
    (tmp_path / "x").mkdir()
    shape = (1, 10**6, 10**6, 3)
    with (tmp_path / "x" / "images.npy").open("wb") as file:
        header = {"descr": "|u1", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        file.truncate(file.tell() + 3 * 10**12)
    spec = InputSpec(3, 224, 224, resize=256)
    source = open_source(tmp_path / "x", spec, None, SourceOptions(unlabelled=True))
    with pytest.raises(InputError, match=r"image 0 needs 3,000\.0 GB of memory"):
        source.image(0)


# Names


def test_t1_a_member_with_a_line_end_in_its_name_is_one_line(tmp_path: Path) -> None:
    for members, why in (
        ({b"a\nb.png": png(), b"a\nb.cls": b"\n"}, "holds b"),
        ({b"a.p\nng": png(), b"a.cls": b"1"}, "has 0 photographs"),
        ({b"a\n.png": png()}, "has no label"),
    ):
        path = tar_of(tmp_path / "x.tar", members)
        assert why in refusal(path)
    path = tar_of(tmp_path / "x.tar", {b"a\nb\x1b[31m.png": b""}, type=tarfile.LNKTYPE)
    assert r"a\nb\x1b[31m.png is a link" in refusal(path)


def test_l1_a_link_to_a_folder_around_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "val" / "a").mkdir(parents=True)
    (tmp_path / "val" / "a" / "0.png").write_bytes(png())
    (tmp_path / "val" / "a" / "up").symlink_to("..")
    assert "is a link to a folder that it lies in" in refusal(tmp_path / "val")


def folder_of(root: Path, *names: str) -> Path:
    """Four class folders, with a photograph of each of the names in the last."""
    for name in ("a", "b", "c", _NO_UNICODE):
        (root / name).mkdir(parents=True)
        (root / name / "0.png").write_bytes(png())
    for name in names:
        (root / _NO_UNICODE / name).write_bytes(png())
    return root


def npz(path: Path) -> Path:
    np.savez(path, images=np.zeros((3, 6, 6, 3), np.uint8), labels=np.arange(3))
    return path


def npy_folder(folder: Path) -> Path:
    folder.mkdir()
    np.save(folder / f"images_{_NO_UNICODE}.npy", np.zeros((3, 6, 6, 3), np.uint8))
    np.save(folder / f"labels_{_NO_UNICODE}.npy", np.arange(3))
    return folder


def parquet(path: Path) -> Path:
    arrow = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    texts = arrow.array([b"a", b"b\xff", b"c\xed\xa0\x80", b"d"])
    names = arrow.Array.from_buffers(arrow.string(), 4, texts.buffers())
    with path.open("wb") as file:
        pq.write_table(arrow.table({"image": [png()] * 4, "label": names}), file)
    return path


_SOURCES = {
    "U1 npz": lambda root: npz(root / f"{_NO_UNICODE}.npz"),
    "U1 folder of npy": lambda root: npy_folder(root / _NO_UNICODE),
    "U2 class folder and photograph": lambda root: folder_of(
        root / _NO_UNICODE, f"{_NO_UNICODE}.png", "x\ny\x1b[31m.png"
    ),
    "U2 tar": lambda root: tar_of(
        root / f"{_NO_UNICODE}.tar",
        {b"a\xff.png": png(), b"a\xff.cls": b"1", b"b.png": png(), b"b.cls": b"2"},
    ),
    "U2 parquet": lambda root: parquet(root / f"{_NO_UNICODE}.parquet"),
}


@pytest.mark.parametrize("make", _SOURCES.values(), ids=_SOURCES.keys())
def test_names_that_are_no_text_work_and_are_recorded(
    model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], make: Any
) -> None:
    path = make(tmp_path)
    log = tmp_path / "out.tsv"
    for _ in range(2):  # the second one resumes
        assert ended("certify", model, path, log, *_SETTINGS) == 0, capfd.readouterr().err
    assert capfd.readouterr().err == ""
    assert read_manifest(log)["run"]["source"]["name"].startswith("b\\udcff")
    assert ended("audit", log, path, "--model", model, "--rows", "1") == 0


def test_u2_the_failure_of_a_photograph_without_a_name_in_text_is_recorded(
    model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    root = folder_of(tmp_path / "val", f"{_NO_UNICODE}.png")
    (root / _NO_UNICODE / f"{_NO_UNICODE}.png").write_bytes(b"no image")
    log = tmp_path / "out.tsv"
    assert ended("certify", model, root, log, *_SETTINGS) == 1
    manifest = read_manifest(log)
    assert manifest["status"] != "running"
    (failure,) = manifest["failed"]
    assert "b\\udcff.png: cannot be decoded" in failure["reason"]
    assert capfd.readouterr().err.count("\n") == 1


def test_names_beyond_any_files_enter_a_digest(tmp_path: Path) -> None:
    from smoothcert.engine.sources.digest import of_listing

    assert of_listing([("\ud800",)]) != of_listing([("\ud801",)])


# Anything


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_files_are_refused_in_one_line(
    kind: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert fuzz_one(kind, true_file(kind), tmp_path) == "read"

    @settings(max_examples=25, derandomize=True, deadline=None, database=None)
    @given(mutated(true_file(kind)))
    def check(data: bytes) -> None:
        fuzz_one(kind, data, tmp_path)

    check()
    assert capfd.readouterr().err == ""
