"""Where the members of an uncompressed tar lie, so that each can be read by itself."""

import io
import os
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from smoothcert.engine.base.errors import InputError, one_line
from smoothcert.engine.base.memory import check_fits
from smoothcert.engine.base.regular import open_regular
from smoothcert.engine.base.wording import printable

_COMPRESSIONS = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
}
_TAIL = 1 << 16
_TAR = "a whole, uncompressed tar"
_MOST_HEADER = 1 << 20
"""Bytes of what describes a member, at most: a name is no longer than a few thousand."""


@dataclass(frozen=True, slots=True)
class Member:
    """A file in a tar: its path there, and its bytes [offset, offset + size) of the tar."""

    name: str
    offset: int
    size: int


def members(file: Path) -> Iterator[Member]:
    """The regular files of the tar `file` in their order, read from its headers.

    Raises InputError where the tar is compressed, or does not run in one piece from its first
    header to an end-of-archive mark and the end of the file: the tarfile module stops silently at
    damage, which would drop images.
    """
    _check_uncompressed(file)
    shown = printable(file)
    try:
        with (
            open_regular(file, _TAR) as stream,
            tarfile.open(fileobj=_Headers(stream), mode="r:") as tar,
        ):
            while (header := tar.next()) is not None:
                if header.size < 0 or tar.offset < header.offset_data:
                    raise tarfile.ReadError("a member of negative size")
                if header.issparse() or header.islnk() or header.issym():
                    raise InputError(
                        f"{shown}: member {printable(header.name)} is a link or sparse: expected "
                        "plain files; "
                        "pack them again (GNU tar: --dereference --hard-dereference)"
                    )
                if header.isreg():
                    yield Member(header.name, header.offset_data, header.size)
            _check_end(file, tar.offset)
    except InputError:
        raise
    # Sizes and times of any text, and the end of the file in any place.
    except (tarfile.TarError, OSError, ValueError, OverflowError, EOFError) as error:
        raise InputError(
            f"{shown}: cannot be read as a tar ({printable(one_line(error))}): expected a whole, "
            "uncompressed tar; fetch "
            "or pack it again"
        ) from None


class _Headers(io.BufferedIOBase):
    """A tar whose headers alone are read: no more of it at once than a header has."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def read(self, size: int | None = -1, /) -> bytes:
        """See io.BufferedIOBase."""
        if size is None or not 0 <= size <= _MOST_HEADER:
            raise tarfile.ReadError(f"a header of {size} bytes")
        return self._stream.read(size)

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """See io.IOBase."""
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        """See io.IOBase."""
        return self._stream.tell()


def read_member(file: Path, member: Member, most: int) -> bytes:
    """The bytes of a member; opens the tar anew, so calls share no position.

    Raises InputError where they are more than `most`, and where the tar has changed or gone since
    it was indexed.
    """
    if member.size > most:
        raise InputError(
            f"{printable(file)}: member {printable(member.name)} has {member.size:,} bytes: "
            f"expected at most {most:,}"
        )
    check_fits(member.size, f"{printable(file)}: member {printable(member.name)}")
    with open_regular(file, _TAR) as stream:
        try:
            data = os.pread(stream.fileno(), member.size, member.offset)
        except OSError as error:
            raise InputError(
                f"{printable(file)}: cannot be read ({error.strerror}): expected the tar as it was "
                "opened; check the file"
            ) from None
    if len(data) != member.size:
        raise InputError(
            f"{printable(file)}: ends within member {printable(member.name)}: it was cut since "
            "this run began; fetch it "
            "again"
        )
    return data


def _check_uncompressed(file: Path) -> None:
    with open_regular(file, _TAR) as stream:
        start = stream.read(8)
    for magic, compression in _COMPRESSIONS.items():
        if start.startswith(magic):
            raise InputError(
                f"{printable(file)}: is compressed by {compression}: expected an uncompressed tar, "
                "whose "
                "members can be read one by one; decompress it first (a CIFAR archive: unpack it "
                "and name its folder)"
            )


def _check_end(file: Path, offset: int) -> None:
    """Raise InputError unless only zeros follow the last member, at least a block of them."""
    with open_regular(file, _TAR) as stream:
        stream.seek(offset)
        tail = stream.read(_TAIL)
    if len(tail) < tarfile.BLOCKSIZE or any(tail[: tarfile.BLOCKSIZE]):
        raise InputError(
            f"{printable(file)}: has no end-of-archive mark after byte {offset:,}: it is truncated "
            "or damaged "
            "there; fetch or pack it again"
        )
    if any(tail):
        raise InputError(
            f"{printable(file)}: goes on after its end-of-archive mark: expected one tar, not "
            "several joined; "
            "give them as separate files with a pattern"
        )
