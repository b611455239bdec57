"""idx files, the format of MNIST and Fashion-MNIST, raw or compressed by gzip."""

import gzip
import math
import re
import struct
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.engine.base.memory import check_fits
from smoothcert.engine.base.regular import open_regular
from smoothcert.engine.base.wording import printable
from smoothcert.engine.sources.arrays.array_source import ArraySource
from smoothcert.engine.sources.given_files import some_of

_IMAGES = re.compile(r".*images[-.]idx3-ubyte(\.gz)?")
_TEST_PREFIX = "t10k-"
_GZIP_MAGIC = b"\x1f\x8b"
_UINT8 = 0x08
_BLOCK = 1 << 20


def is_images_file(name: str) -> bool:
    """Whether a file of this name holds the images of a pair of idx files."""
    return _IMAGES.fullmatch(name) is not None


def open_idx(
    path: Path,
    name: str,
    spec: InputSpec | None,
    num_classes: int | None,
    unlabelled: bool = False,
) -> ArraySource:
    """The source of a pair of idx files: the images file `path`, or one in the folder `path`.

    In a folder the test pair (t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte) is taken, or the
    only pair there is; any other by naming its images file. `unlabelled` needs and reads no labels
    file. Raises InputError.
    """
    images_file = _images_in(path) if path.is_dir() else path
    if unlabelled:
        return ArraySource(
            "idx", name, [images_file], _read(images_file, ndim=3), None, spec, num_classes
        )
    labels_file = _labels_beside(images_file)
    images = _read(images_file, ndim=3)
    labels = _read(labels_file, ndim=1)
    files = [images_file, labels_file]
    return ArraySource("idx", name, files, images, labels, spec, num_classes)


def _images_in(folder: Path) -> Path:
    found = sorted(file for file in folder.iterdir() if is_images_file(file.name))
    tests = [file for file in found if file.name.startswith(_TEST_PREFIX)]
    # A raw file sorts before its compressed twin.
    if tests:
        return tests[0]
    if len({file.name.removesuffix(".gz") for file in found}) > 1:
        raise InputError(
            f"{printable(folder)}: holds the images files {some_of([f.name for f in found])}, none "
            f"of them {_TEST_PREFIX}images-idx3-ubyte: name the images file itself"
        )
    return found[0]


def _labels_beside(images_file: Path) -> Path:
    head, _, tail = images_file.name.removesuffix(".gz").rpartition("images")
    name = f"{head}labels{tail.replace('idx3', 'idx1')}"
    for labels_file in (images_file.with_name(name), images_file.with_name(f"{name}.gz")):
        if labels_file.is_file():
            return labels_file
    raise InputError(
        f"{printable(images_file)}: has no labels beside it: expected {printable(name)} or "
        f"{printable(name)}.gz in the same folder; where there are none, give --unlabelled"
    )


def _read(file: Path, ndim: int) -> npt.NDArray[np.uint8]:
    """The uint8 array of `ndim` dimensions in an idx file."""
    what = f"an idx file of unsigned bytes in {ndim} dimension{'s' * (ndim > 1)}"
    form, shown = f"expected {what}", printable(file)
    with open_regular(file, what) as raw:
        try:
            compressed = raw.read(2) == _GZIP_MAGIC
            raw.seek(0)
            with gzip.GzipFile(fileobj=raw) if compressed else raw as stream:
                header = stream.read(4 + 4 * ndim)
                if header[:4] != bytes((0, 0, _UINT8, ndim)) or len(header) < 4 + 4 * ndim:
                    raise InputError(
                        f"{shown}: starts with the bytes {header[:4].hex(' ')!r}: {form}"
                    )
                shape = struct.unpack(f">{ndim}I", header[4:])
                expected = math.prod(shape)
                # Block by block: a wrong header must not reserve the memory it speaks of.
                content = bytearray()
                while len(content) <= expected and (block := stream.read(_BLOCK)):
                    content += block
                    if len(content) == _BLOCK:  # there is as much as a small file has, or more
                        check_fits(expected, f"{shown}: its array {list(shape)}", what)
        except (OSError, EOFError, zlib.error) as error:
            raise InputError(f"{shown}: cannot be read ({error}): {form}; fetch it again") from None
    if len(content) != expected:
        has = f"{len(content):,}" if len(content) < expected else f"more than {expected:,}"
        raise InputError(
            f"{shown}: has {has} bytes of data, its header says {list(shape)}, {expected:,} bytes: "
            "expected a whole idx file; fetch it again"
        )
    if not expected:
        raise InputError(f"{shown}: its header says {list(shape)}, which is nothing: {form}")
    return np.frombuffer(content, dtype=np.uint8).reshape(shape)
