"""Where the members of an uncompressed tar lie, so that each can be read by itself."""

import os
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from smoothcert.engine.base.errors import InputError

_COMPRESSIONS = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
}
_TAIL = 1 << 16


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
    try:
        with tarfile.open(file, "r:") as tar:
            while (header := tar.next()) is not None:
                if header.issparse() or header.islnk() or header.issym():
                    raise InputError(
                        f"{file}: member {header.name} is a link or sparse: expected plain files; "
                        "pack them again (GNU tar: --dereference --hard-dereference)"
                    )
                if header.isreg():
                    yield Member(header.name, header.offset_data, header.size)
            _check_end(file, tar.offset)
    except (tarfile.TarError, OSError) as error:
        raise InputError(
            f"{file}: cannot be read as a tar ({error}): expected a whole, uncompressed tar; fetch "
            "or pack it again"
        ) from None


def read_member(file: Path, member: Member) -> bytes:
    """The bytes of a member; opens the tar anew, so calls share no position.

    Raises InputError where the tar has changed or gone since it was indexed.
    """
    try:
        with file.open("rb", buffering=0) as stream:
            data = os.pread(stream.fileno(), member.size, member.offset)
    except OSError as error:
        raise InputError(f"{file}: cannot be read ({error.strerror}): check the file") from None
    if len(data) != member.size:
        raise InputError(
            f"{file}: ends within member {member.name}: it was cut since this run began; fetch it "
            "again"
        )
    return data


def _check_uncompressed(file: Path) -> None:
    with file.open("rb") as stream:
        start = stream.read(8)
    for magic, compression in _COMPRESSIONS.items():
        if start.startswith(magic):
            raise InputError(
                f"{file}: is compressed by {compression}: expected an uncompressed tar, whose "
                "members can be read one by one; decompress it first (a CIFAR archive: unpack it "
                "and name its folder)"
            )


def _check_end(file: Path, offset: int) -> None:
    """Raise InputError unless only zeros follow the last member, at least a block of them."""
    with file.open("rb") as stream:
        stream.seek(offset)
        tail = stream.read(_TAIL)
    if len(tail) < tarfile.BLOCKSIZE or any(tail[: tarfile.BLOCKSIZE]):
        raise InputError(
            f"{file}: has no end-of-archive mark after byte {offset:,}: it is truncated or damaged "
            "there; fetch or pack it again"
        )
    if any(tail):
        raise InputError(
            f"{file}: goes on after its end-of-archive mark: expected one tar, not several joined; "
            "give them as separate files with a pattern"
        )
