import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.regular import check_regular, open_regular, read_regular


def opened(path: str | Path) -> bytes:
    with open_regular(path) as file:
        return file.read()


READERS = pytest.mark.parametrize("read", [opened, read_regular, check_regular])


@READERS
def test_files_and_links_to_them_are_read(
    tmp_path: Path, read: Callable[[str | Path], bytes | int]
) -> None:
    (tmp_path / "file").write_bytes(b"abc")
    (tmp_path / "link").symlink_to("file")
    for path in (tmp_path / "file", tmp_path / "link", str(tmp_path / "link")):
        assert read(path) in (b"abc", 3)


@READERS
def test_what_is_no_file_is_refused_and_named(
    tmp_path: Path, read: Callable[[str | Path], bytes | int], monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zero").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as listening:
        monkeypatch.chdir(tmp_path)  # a socket's whole path may be too long for the system
        listening.bind("socket")
        kinds = {"pipe": "pipe", "zero": "device", "socket": "socket", ".": "folder"}
        for name, kind in kinds.items():
            with pytest.raises(InputError, match=rf"cannot be read \(it is a {kind}\): expected"):
                read(tmp_path / name)


@READERS
def test_what_is_not_there_is_named_in_one_line(
    tmp_path: Path, read: Callable[[str | Path], bytes | int]
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")
    for name, why in (
        ("gone\n", "gone\\\\n does not exist"),
        ("file/x", r": cannot be read \(Not a directory\)"),
        ("loop", r"cannot be read \(Too many levels"),
        ("a\0b", "is no name of a file"),
        ("\ud800", "is no name of a file"),
    ):
        with pytest.raises(InputError, match=why) as refusal:
            read(tmp_path / name)
        assert len(str(refusal.value).splitlines()) == 1


def test_no_more_is_read_than_was_asked_for(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(10))
    assert read_regular(tmp_path / "file", most=10) == bytes(10)
    with pytest.raises(InputError, match="has 10 bytes: expected a list, in at most 9 bytes"):
        read_regular(tmp_path / "file", "a list", most=9)
    with (tmp_path / "holes").open("wb") as file:
        file.truncate(1 << 42)
    with pytest.raises(InputError, match="holes"):  # more than any memory holds
        read_regular(tmp_path / "holes")


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="a system without /proc")
def test_files_of_no_told_size_are_read_and_bounded() -> None:
    assert b"Name" in read_regular("/proc/self/status")
    with pytest.raises(InputError, match="more than 3 bytes"):
        read_regular("/proc/self/status", most=3)
