"""Damaged files of every kind that images and lists come in, and one way to read them all.

`true_file(kind)` is a small file as its writer leaves it, `mutated` a strategy of damage to it, and
`fuzz_one(kind, data)` reads bytes as the kind's own reader does: for tests, and for a fuzzer that
looks for bytes of its own.
"""

import gzip
import io
import json
import pickle
import struct
import tarfile
import tempfile
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st
from PIL import Image

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.sources import open_source
from smoothcert.engine.sources.base import FailedImage
from smoothcert.engine.sources.labelling.class_list import ClassList
from smoothcert.engine.sources.options import SourceOptions
from smoothcert.engine.sources.reading import decoded_ahead
from smoothcert.engine.sources.selecting.index_file import IndexFile

_IMAGES = np.random.default_rng(0).integers(0, 256, (3, 5, 4, 3)).astype(np.uint8)
_LABELS = np.array([2, 0, 1], np.int64)


def _npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def _npz(images: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("images.npy", images)
        archive.writestr("labels.npy", _npy(_LABELS))
    return stream.getvalue()


def _idx(array: np.ndarray) -> bytes:
    return struct.pack(f">4B{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def _photograph(form: str, mode: str = "RGB") -> bytes:
    stream = io.BytesIO()
    Image.fromarray(_IMAGES[0]).convert(mode).resize((12, 9)).save(stream, form)
    return stream.getvalue()


def _tar(names: str = "a{}.png") -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for number in range(2):
            name = names.format(number)
            for path, data in ((name, _photograph("PNG")), (f"{name[:-4]}.cls", b"1")):
                header = tarfile.TarInfo(path)
                header.size = len(data)
                header.mtime = 1.5  # a header of pax
                tar.addfile(header, io.BytesIO(data))
    return stream.getvalue()


def _beside_photograph(extension: str, data: bytes) -> bytes:
    """A tar of one sample, whose label is in these bytes."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for name, content in (("a.png", _photograph("PNG")), (f"a.{extension}", data)):
            header = tarfile.TarInfo(name)
            header.size = len(content)
            tar.addfile(header, io.BytesIO(content))
    return stream.getvalue()


def _with_checksums(tar: bytes) -> bytes:
    """The bytes with the first three blocks taken for headers, each with its checksum."""
    blocks = bytearray(tar)
    for start in range(0, min(len(blocks), 1536), 512):
        blocks[start + 148 : start + 156] = b" " * 8
        total = sum(blocks[start : start + 512])
        blocks[start + 148 : start + 156] = b"%06o\0 " % (total & 0o777777)
    return bytes(blocks)


def _cifar_python() -> bytes:
    data = np.zeros((2, 3072), np.uint8)
    return pickle.dumps({b"data": data, b"labels": [3, 9], b"batch_label": b"test"}, protocol=2)


def _table() -> Any:
    import pyarrow as pa

    picture = _photograph("PNG")
    return pa.table(
        {
            "image": [{"bytes": picture, "path": "a.png"}, {"bytes": picture, "path": "b.png"}],
            "label": pa.array(["cat", "dog"]),
        }
    )


def _parquet() -> bytes:
    import pyarrow.parquet as pq

    stream = io.BytesIO()
    pq.write_table(_table(), stream)
    return stream.getvalue()


def _arrow() -> bytes:
    import pyarrow as pa

    table = _table()
    stream = io.BytesIO()
    with pa.ipc.new_stream(stream, table.schema) as writer:
        writer.write_table(table)
    return stream.getvalue()


@dataclass(frozen=True)
class _Kind:
    """A kind of file.

    true   a file that is well
    name   what it is called in its folder; what is read is its folder, if `in_folder`
    beside  files that belong to it
    wrap   what the bytes are put into: archives whose own damage hides what they hold
    """

    true: Callable[[], bytes]
    name: str
    in_folder: bool = False
    beside: tuple[tuple[str, bytes], ...] = ()
    wrap: Callable[[bytes], bytes] = bytes
    options: Callable[[Path], SourceOptions] = lambda folder: SourceOptions()


_GREY_LABELS = (("t10k-labels-idx1-ubyte", _idx(_LABELS.astype(np.uint8))),)
_PHOTOGRAPHS = (("a.png", _photograph("PNG")), ("b c.png", _photograph("PNG", "L")))


def _listed(folder: Path) -> SourceOptions:
    return SourceOptions(labels=folder / "list.txt")


_KINDS = {
    "npz": _Kind(lambda: _npz(_npy(_IMAGES)), "x.npz"),
    "array in npz": _Kind(lambda: _npy(_IMAGES), "x.npz", wrap=_npz),
    "floats in npz": _Kind(lambda: _npy(_IMAGES / 255), "x.npz", wrap=_npz),
    "npy": _Kind(
        lambda: _npy(_IMAGES), "images.npy", True, beside=(("labels.npy", _npy(_LABELS)),)
    ),
    "labels npy": _Kind(
        lambda: _npy(_LABELS), "labels.npy", True, beside=(("images.npy", _npy(_IMAGES)),)
    ),
    "names npy": _Kind(
        lambda: _npy(np.array(["cat", "dog", "owl"])), "labels.npy", True,
        beside=(("images.npy", _npy(_IMAGES)),),
    ),
    "idx": _Kind(
        lambda: _idx(_IMAGES[..., 0]), "t10k-images-idx3-ubyte", True, beside=_GREY_LABELS
    ),
    "idx.gz": _Kind(
        lambda: gzip.compress(_idx(_IMAGES[..., 0]), mtime=0), "t10k-images-idx3-ubyte", True,
        beside=_GREY_LABELS,
    ),
    "idx in gz": _Kind(
        lambda: _idx(_IMAGES[..., 0]), "t10k-images-idx3-ubyte", True, beside=_GREY_LABELS,
        wrap=gzip.compress,
    ),
    "CIFAR binary": _Kind(lambda: bytes([3]) + bytes(3072) + bytes([9]) + bytes(3072),
                          "test_batch.bin"),
    "CIFAR python": _Kind(_cifar_python, "test_batch"),
    "tar": _Kind(_tar, "x.tar"),
    "headers of tar": _Kind(_tar, "x.tar", wrap=_with_checksums),
    "class in tar": _Kind(lambda: b"1", "x.tar", wrap=partial(_beside_photograph, "cls")),
    "JSON in tar": _Kind(lambda: b'{"label": "cat"}', "x.tar",
                         wrap=partial(_beside_photograph, "json")),
    "parquet": _Kind(_parquet, "x.parquet"),
    "arrow": _Kind(_arrow, "data.arrow", True, beside=(("dataset_info.json", b"{}"),)),
    **{
        form: _Kind(lambda form=form: _photograph(form), "a/x.png", True)  # type: ignore[misc]
        for form in ("PNG", "JPEG", "WEBP", "TIFF", "GIF", "BMP", "PPM")
    },
    "label list": _Kind(
        lambda: b"filename,label\na.png,1\nb c.png,0\n", "list.txt", True, beside=_PHOTOGRAPHS,
        options=_listed,
    ),
    "label lines": _Kind(
        lambda: b'a.png 1\n"b c.png" 0\n', "list.txt", True, beside=_PHOTOGRAPHS, options=_listed
    ),
    "JSON labels": _Kind(
        lambda: json.dumps({"a.png": 1, "b c.png": 0}).encode(), "list.txt", True,
        beside=_PHOTOGRAPHS, options=_listed,
    ),
    "class list": _Kind(lambda: b"0 cat\n1 dog, hound\n2 bird\n", "classes.txt"),
    "JSON classes": _Kind(lambda: b'{"id2label": {"0": "cat", "1": "dog"}}', "classes.txt"),
    "indices": _Kind(lambda: b"0, 3-5\n7 # the last\n", "indices.txt"),
    "indices npy": _Kind(lambda: _npy(np.array([3, 1, 7])), "indices.txt"),
}  # fmt: skip
KINDS = tuple(_KINDS)


@cache
def true_file(kind: str) -> bytes:
    """The bytes of a small file that is read without an error."""
    return _KINDS[kind].true()


_WHOLE = (0, 1, 2**7 - 1, 2**7, 2**8 - 1, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**63)
_PIECES = (
    b"", b"\0", b"\n", b"\r", b"\xff", b"\xed\xa0\x80", "é".encode(), b"-1", b"1e999", b"9" * 5000,
    b"[" * 2000, b'{"a":' * 500, b"../", b"\x1b[31m", b"nan", b"\0" * 600,
    b"\t", b'"', b"null",
)  # fmt: skip


@st.composite
def mutated(draw: st.DrawFn, data: bytes) -> bytes:
    """The bytes with up to four changes: bits, numbers of 1 to 8 bytes in either order, pieces that
    parsers stumble over, parts repeated, removed, swapped or cut off."""
    found = bytearray(data)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(0, len(found) - 1)))
        to = min(len(found), at + draw(st.sampled_from((1, 2, 4, 8, 30, 512))))
        match draw(st.integers(0, 6)):
            case 0:
                if found:
                    found[at] ^= 1 << draw(st.integers(0, 7))
            case 1:
                size = draw(st.sampled_from((1, 2, 4, 8)))
                number = draw(st.sampled_from(_WHOLE)) % 2 ** (8 * size)
                found[at : at + size] = number.to_bytes(
                    size, draw(st.sampled_from(("little", "big")))
                )
            case 2:
                found[at:at] = draw(st.sampled_from(_PIECES))
            case 3:
                found[at:to] = draw(st.binary(max_size=16))
            case 4:
                found[at:at] = found[at:to] * draw(st.integers(1, 3))
            case 5:
                del found[at:to]
            case _:
                del found[at:]
    return bytes(found)


def fuzz_one(kind: str, data: bytes, folder: Path | None = None) -> str:
    """Read the bytes as a file of the kind, and say what came of it: "refused", "failed" (an image
    alone), "read".

    Raises AssertionError where a refusal is no printable line, an image is none, or a warning
    would be printed; anything else that is raised is a fault of the reader.
    """
    if folder is None:
        with tempfile.TemporaryDirectory() as temporary:
            return fuzz_one(kind, data, Path(temporary))
    about = _KINDS[kind]
    for name, content in ((about.name, about.wrap(data)), *about.beside):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            outcome = _read(kind, about, folder)
        except InputError as error:
            _check_line(str(error))
            outcome = "refused"
    assert not warned, [str(warning.message) for warning in warned]
    return outcome


def read_or_refused(path: Path, data: bytes, read: Callable[[Path], object]) -> None:
    """Have a file of these bytes read: it is, or is refused in one line."""
    path.write_bytes(data)
    said = ""
    try:
        read(path)
    except InputError as error:
        said = str(error)
    assert len(said.splitlines()) <= 1


def _read(kind: str, about: _Kind, folder: Path) -> str:
    file = folder / about.name
    if kind in ("class list", "JSON classes"):
        listed = ClassList(file)
        assert len(listed) > 0
        for name in ("cat", "x"):
            listed.index(name)
        return "read"
    if "indices" in kind:
        assert IndexFile.read(file).runs(1000).text()
        return "read"
    source = open_source(folder if about.in_folder else file, None, None, about.options(folder))
    failed: list[FailedImage] = []
    indices = sorted({0, len(source) - 1})
    for image in decoded_ahead(source, indices, on_failure=failed.append):
        assert image.pixels.dtype == np.uint8
        assert image.pixels.ndim == 3
    for failure in failed:
        _check_line(failure.reason)
    json.dumps(source.describe(), ensure_ascii=False).encode()
    return "failed" if failed else "read"


def _check_line(text: str) -> None:
    assert text.isprintable(), ascii(text)
    assert len(text) < 10_000
