import bz2
import gzip
import io
import lzma
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.sources.archives.tar_index import members, read_member

CONTENT = {"a.jpg": b"A" * 700, "folder/b.cls": b"7", "empty.txt": b"", "x" * 180 + ".png": b"long"}


def pack(file: Path, content: dict[str, bytes], form: int = tarfile.PAX_FORMAT) -> None:
    with tarfile.open(file, "w", format=form) as tar:
        for name, data in content.items():
            header = tarfile.TarInfo(name)
            header.size = len(data)
            tar.addfile(header, io.BytesIO(data))


@pytest.fixture
def tar(tmp_path: Path) -> Path:
    pack(tmp_path / "x.tar", CONTENT)
    return tmp_path / "x.tar"


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_members_are_read_where_they_lie(tmp_path: Path, form: int) -> None:
    file = tmp_path / "x.tar"
    pack(file, CONTENT, form)
    found = list(members(file))
    assert [member.name for member in found] == list(CONTENT)
    for member in reversed(found):
        assert read_member(file, member, 10**6) == CONTENT[member.name]


def test_folders_are_no_members(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "a.jpg").write_bytes(b"a")
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        archive.add(tmp_path / "d", "d")
    assert [member.name for member in members(tmp_path / "x.tar")] == ["d/a.jpg"]


def test_every_truncation_is_noticed(tar: Path) -> None:
    whole = tar.read_bytes()
    end = len(whole.rstrip(b"\0"))
    # The archive is whole once a block of zeros follows the last member's block.
    last_whole = -(-end // 512) * 512 + 512
    for length in [*range(0, last_whole, 256), 1, 511, 513, last_whole - 1]:
        tar.write_bytes(whole[:length])
        with pytest.raises(InputError, match=r"x\.tar: "):
            list(members(tar))
    tar.write_bytes(whole[:last_whole])
    assert len(list(members(tar))) == len(CONTENT)


def test_a_damaged_header_does_not_end_the_archive_silently(tar: Path) -> None:
    content = bytearray(tar.read_bytes())
    start = content.index(b"folder/b.cls")
    content[start] ^= 1  # its checksum is wrong now
    tar.write_bytes(content)
    with pytest.raises(InputError, match=f"no end-of-archive mark after byte {start:,}"):
        list(members(tar))


def test_joined_archives_are_refused(tar: Path) -> None:
    tar.write_bytes(tar.read_bytes() * 2)
    with pytest.raises(InputError, match="goes on after its end-of-archive mark"):
        list(members(tar))


@pytest.mark.parametrize(
    ("compress", "name"),
    [(gzip.compress, "gzip"), (bz2.compress, "bzip2"), (lzma.compress, "xz")],
)
def test_compressed_archives_are_refused(
    tar: Path, compress: Callable[[bytes], bytes], name: str
) -> None:
    tar.write_bytes(compress(tar.read_bytes()))
    with pytest.raises(InputError, match=f"is compressed by {name}: expected an uncompressed tar"):
        list(members(tar))


@pytest.mark.parametrize("content", [b"", b"text", bytes(100), b"\x89PNG" * 200])
def test_what_is_no_tar_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.tar").write_bytes(content)
    with pytest.raises(InputError, match=r"x\.tar: "):
        list(members(tmp_path / "x.tar"))


@pytest.mark.parametrize("kind", [tarfile.LNKTYPE, tarfile.SYMTYPE])
def test_links_are_refused(tmp_path: Path, kind: bytes) -> None:
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        header = tarfile.TarInfo("b.jpg")
        header.type, header.linkname = kind, "a.jpg"
        archive.addfile(header)
    with pytest.raises(InputError, match=r"member b\.jpg is a link or sparse"):
        list(members(tmp_path / "x.tar"))


def test_an_archive_cut_or_removed_later_is_named(tar: Path) -> None:
    first = next(iter(members(tar)))
    tar.write_bytes(tar.read_bytes()[:1000])
    with pytest.raises(InputError, match=rf"x\.tar: ends within member {first.name}"):
        read_member(tar, first, 10**6)
    tar.unlink()
    with pytest.raises(InputError, match=r"x\.tar does not exist"):
        read_member(tar, first, 10**6)
