"""The file of a log: one writer, no other kind of file, and nothing left that holds nothing."""

import fcntl
import os
from pathlib import Path

import pytest

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.log import log_file
from smoothcert.engine.log.log_file import LogFile, check_log

AS_ROOT = os.geteuid() == 0


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_new_log_is_made_and_taken_back(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "o.tsv")
    assert log.made
    assert log.place == (tmp_path / "o.tsv").resolve()
    assert log.withdraw()
    assert log.file.closed
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"rows"])
def test_a_log_that_was_there_stays(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "o.tsv"
    path.write_bytes(content)
    log = LogFile(path)
    assert not log.made
    assert log.file.read() == content
    assert not log.withdraw()
    assert path.read_bytes() == content


def test_a_log_that_holds_something_stays(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "o.tsv")
    log.file.write(b"row")
    log.file.flush()
    assert not log.withdraw()
    assert (tmp_path / "o.tsv").read_bytes() == b"row"


def test_what_has_taken_its_place_is_not_removed(tmp_path: Path) -> None:
    path = tmp_path / "o.tsv"
    log = LogFile(path)
    path.unlink()
    path.touch()
    assert not log.withdraw()
    assert path.exists()


def test_there_is_one_writer_by_whatever_name(tmp_path: Path) -> None:
    path, link = tmp_path / "o.tsv", tmp_path / "link.tsv"
    log = LogFile(path)
    link.symlink_to(path)
    before = open_files()
    for name in (path, link):
        with pytest.raises(InputError, match="is being written by another process"):
            LogFile(name)
    assert open_files() == before
    assert path.exists()
    log.withdraw()
    path.touch()
    assert LogFile(link).place == path.resolve()


def test_a_pipe_that_came_since_it_was_looked_at(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "o.tsv")
    with pytest.raises(InputError, match="is no regular file"):
        LogFile(tmp_path / "o.tsv")


def test_a_log_that_was_removed_before_it_was_locked_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a run that took it back, say: what is written must not go into a file without a name."""
    path, locked = tmp_path / "o.tsv", []

    def lock(handle: int, place: Path) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        locked.append(handle)
        if len(locked) == 1:
            place.unlink()

    monkeypatch.setattr(log_file, "_lock", lock)
    before = open_files()
    log = LogFile(path)
    assert len(locked) == 2
    assert os.path.samestat(path.stat(), os.fstat(log.file.fileno()))
    assert path.stat().st_mode & 0o111 == 0
    assert log.withdraw()
    assert open_files() == before


@pytest.mark.skipif(AS_ROOT, reason="root may write to any file")
def test_a_file_that_may_not_be_written_to(tmp_path: Path) -> None:
    path = tmp_path / "o.tsv"
    path.touch(0o400)
    with pytest.raises(InputError, match=r"cannot be written \(Permission denied\)"):
        LogFile(path)


def test_log_and_manifest_are_two_files_and_no_input(tmp_path: Path) -> None:
    path, manifest = tmp_path / "o.tsv", tmp_path / "o.tsv.json"
    check_log(path)
    assert list(tmp_path.iterdir()) == []
    path.touch()
    for given in (path, manifest):
        manifest.touch()
        with pytest.raises(InputError, match="which this command reads"):
            check_log(path, [None, given])
    manifest.unlink()
    manifest.hardlink_to(path)
    with pytest.raises(InputError, match="are one file"):
        check_log(path)
    with pytest.raises(InputError, match=r"manifest .*cannot be written"):
        check_log(tmp_path / ("n" * 252))


@pytest.mark.skipif(AS_ROOT, reason="root may write to any folder")
def test_a_log_behind_a_link_needs_its_own_folder(tmp_path: Path) -> None:
    """It is put in order there at the end."""
    closed = tmp_path / "closed"
    closed.mkdir()
    (closed / "real.tsv").touch()
    (tmp_path / "o.tsv").symlink_to(closed / "real.tsv")
    check_log(tmp_path / "o.tsv")
    closed.chmod(0o500)
    with pytest.raises(InputError, match="may not be written to"):
        check_log(tmp_path / "o.tsv")
    closed.chmod(0o700)
