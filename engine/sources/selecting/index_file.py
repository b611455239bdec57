"""`--indices FILE`: the images that a file lists, as text or as an array of numpy's."""

import hashlib
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.regular import read_regular
from smoothcert.engine.base.wording import printable
from smoothcert.engine.sources.arrays.npy_header import NpyHeader
from smoothcert.engine.sources.selecting.runs import RUN, Runs

_MOST_BYTES = 2**28
_NPY = b"\x93NUMPY"
_FORM = "expected indices such as 0 or 3-7, separated by blanks, commas or lines; # begins a remark"


@dataclass(frozen=True)
class _Entry:
    """An index or a run of them, and the line (or the place) that it stands in."""

    first: int
    last: int
    line: int


@dataclass(frozen=True)
class IndexFile:
    """Images by index, as a file lists them.

    Text: indices and runs with both their ends (3-7), separated by blanks, commas or line ends,
    possibly in one pair of brackets; what follows a # is left out. Or an .npy file of integers,
    told by its first bytes. The order is of no matter: a log is in that of the images.
    """

    name: str
    sha256: str
    path: Path
    entries: tuple[_Entry, ...]
    unit: str

    @classmethod
    def read(cls, path: Path) -> "IndexFile":
        """The file; raises InputError, naming the line, where it is none or names an image twice
        in one place."""
        content = read_regular(path, "a file of indices", "indices", _MOST_BYTES)
        if content.startswith(_NPY):
            unit, entries = "entry", list(_of_array(content, path))
        else:
            unit, entries = "line", list(_of_text(content, path))
        if not entries:
            raise InputError(f"indices {printable(path)} names no image: {_FORM}")
        ordered = sorted(entries, key=lambda entry: entry.first)
        for before, entry in pairwise(ordered):
            if entry.first <= before.last:
                lines = sorted((before.line, entry.line))
                raise InputError(
                    f"indices {printable(path)} {unit} {lines[1]} names image {entry.first} again, "
                    f"as {unit} {lines[0]} does: expected each once; remove one of them"
                )
        sha256 = hashlib.sha256(content).hexdigest()
        return cls(printable(path.name), sha256, path, tuple(ordered), unit)

    def runs(self, num_images: int) -> Runs:
        """The images; raises InputError for one that a source of so many does not have."""
        if (entry := self.entries[-1]).last >= num_images:
            raise InputError(
                f"indices {printable(self.path)} {self.unit} {entry.line} names image "
                f"{entry.last}: expected 0..{num_images - 1}, the source has {num_images} "
                "images; the first is 0"
            )
        return Runs(range(entry.first, entry.last + 1) for entry in self.entries)

    def describe(self) -> dict[str, str]:
        """What the manifest records."""
        return {"name": self.name, "sha256": self.sha256}


def _of_text(content: bytes, path: Path) -> Iterator[_Entry]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise InputError(f"indices {printable(path)} is neither text nor an .npy file: {_FORM}")
    lines = [line.partition("#")[0] for line in text.splitlines()]
    tokens = [
        (token, number)
        for number, line in enumerate(lines, start=1)
        for token in re.split(r"[\s,;]+", re.sub(r"([\[\]])", r" \1 ", line))
        if token
    ]
    if len(tokens) > 1 and (tokens[0][0], tokens[-1][0]) == ("[", "]"):  # a list of JSON's
        tokens = tokens[1:-1]
    for token, line in tokens:
        match = RUN.fullmatch(token)
        first = int(match[1]) if match else 0
        last = int(match[2] or first) if match else -1
        if last < first:
            raise InputError(
                f"indices {printable(path)} line {line}: {token[:40]!r} is no index: {_FORM}"
            )
        yield _Entry(first, last, line)


def _of_array(content: bytes, path: Path) -> Iterator[_Entry]:
    for place, index in enumerate(_array(content, path)):
        if index < 0:
            raise InputError(
                f"indices {printable(path)} entry {place} is {index}: expected indices of images, "
                "from 0 on"
            )
        yield _Entry(index, index, place)


def _array(content: bytes, path: Path) -> list[int]:
    """The integers of an .npy file. Its header is read first: what it speaks of may be more than
    the file holds, or code to unpickle."""
    header = NpyHeader.read(io.BytesIO(content))
    if header is None:
        raise InputError(
            f"indices {printable(path)} cannot be read as .npy (its header is damaged): expected "
            "integers [n]; save it again"
        )
    shape, dtype = header.shape, header.dtype
    if dtype.kind == "b":
        raise InputError(
            f"indices {printable(path)} holds booleans {list(shape)}: expected integers [n]; save "
            "numpy.flatnonzero of them"
        )
    if dtype.kind not in "ui" or len(shape) not in (1, 2) or shape[1:] not in ((), (1,)):
        raise InputError(
            f"indices {printable(path)} holds {dtype} {list(shape)}: expected integers [n]"
        )
    rest = content[header.start :]
    if len(rest) != shape[0] * dtype.itemsize:
        raise InputError(
            f"indices {printable(path)} has {len(rest)} bytes of data, its header says "
            f"{list(shape)} of {dtype}: expected a whole .npy file; save it again"
        )
    found: list[int] = np.frombuffer(rest, dtype).tolist()
    return found
