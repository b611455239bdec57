"""The cache folder, where it is told to be, and files written whole."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from full_disks import no_more_than

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.files import (
    cache_entry,
    file_digest,
    move_atomically,
    replacing,
    sweep,
    write_atomically,
)

CODE = """
import sys
sys.modules["platformdirs"] = None  # as where it is not installed
from smoothcert.engine.base.files import cache_folder
print(cache_folder("part"))
"""


def test_a_cache_that_is_given_asks_nobody_where_it_is(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        capture_output=True,
        text=True,
        env={**os.environ, "SMOOTHCERT_CACHE": str(tmp_path)},
        check=False,
    )
    assert done.stdout == f"{tmp_path / 'part'}\n", done.stderr
    assert (tmp_path / "part").is_dir()


def test_an_answer_lies_by_its_question(tmp_path: Path) -> None:
    place = cache_entry("part", {"a": 1, "b": [2]}, ".json", "n" * 99)
    assert place == cache_entry("part", {"b": [2], "a": 1}, ".json", "n" * 90)
    assert place.name.startswith("n" * 80 + "-")
    assert place.suffix == ".json"
    assert cache_entry("part", {"a": 2, "b": [2]}, ".json").name not in place.name


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "out"
    write_atomically(path, b"old", 0o600)
    assert path.stat().st_mode & 0o777 == 0o600

    def write_half() -> None:
        with replacing(path) as file:
            file.write(b"new")
            raise RuntimeError("half")

    with pytest.raises(RuntimeError, match="half"):
        write_half()
    assert path.read_bytes() == b"old"
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert [each.name for each in tmp_path.iterdir()] == ["out"]


def test_a_file_is_moved_whole_or_not_at_all(tmp_path: Path) -> None:
    source, path = tmp_path / "draft", tmp_path / "folder" / "out"
    path.parent.mkdir()
    source.write_bytes(b"x" * 100_000)
    with no_more_than(50_000), pytest.raises(OSError, match="File too large"):
        move_atomically(source, path)
    assert list(path.parent.iterdir()) == []
    move_atomically(source, path)
    assert path.read_bytes() == b"x" * 100_000
    assert not source.exists()


@pytest.mark.parametrize("link", [False, True])
def test_a_new_file_takes_no_other_ones_place(link: bool, tmp_path: Path) -> None:
    """Though it has come since."""
    path = tmp_path / "out"

    def write_late() -> None:
        with replacing(path, new=True) as file:
            file.write(b"mine")
            if link:
                path.symlink_to("absent")
            else:
                path.write_bytes(b"theirs")

    with pytest.raises(FileExistsError) as refused:
        write_late()
    assert refused.value.filename == str(path)
    assert path.is_symlink() == link
    assert link or path.read_bytes() == b"theirs"
    assert [each.name for each in tmp_path.iterdir()] == ["out"]


def test_a_name_as_long_as_names_are(tmp_path: Path) -> None:
    path = tmp_path / ("\u00e4" * 127)
    write_atomically(path, b"x")
    assert path.read_bytes() == b"x"


def test_what_the_system_says_is_of_the_file_that_was_asked_for(tmp_path: Path) -> None:
    """Not of the part of it beside it."""
    path = tmp_path / "absent" / "out"
    with pytest.raises(FileNotFoundError) as absent:
        write_atomically(path, b"")
    assert str(absent.value) == f"[Errno 2] No such file or directory: '{path}'"
    path = tmp_path / "out"
    with pytest.raises(OSError, match="too large") as full, no_more_than(1000):
        write_atomically(path, bytes(10**6))
    assert str(full.value) == f"[Errno 27] File too large: '{path}'"
    with pytest.raises(OSError, match="elsewhere"), replacing(path):
        (tmp_path / "elsewhere").open()
    assert list(tmp_path.iterdir()) == []


def test_parts_that_nobody_holds_are_swept(tmp_path: Path) -> None:
    path = tmp_path / "out"
    with replacing(path) as file:
        file.write(b"held")
        (part,) = tmp_path.iterdir()
        kept = [tmp_path / name for name in (".out.part", "out.part", ".other.12345678.x.part")]
        for each in kept:
            each.touch()
        left = part.with_name(part.name[:-9] + "left.part")
        left.touch()
        sweep(path)
        assert set(tmp_path.iterdir()) == {part, *kept}
    assert path.read_bytes() == b"held"
    sweep(tmp_path / "absent" / "out")


def test_a_file_is_as_open_as_its_user_wants(tmp_path: Path) -> None:
    path, before = tmp_path / "out", os.umask(0o077)
    try:
        write_atomically(path, b"x")
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_digest_is_of_regular_files_in_their_order(tmp_path: Path) -> None:
    first, second, pipe = (tmp_path / name for name in ("first", "second", "pipe"))
    first.write_bytes(b"a" * (1 << 20) + b"b")  # more than a block
    second.write_bytes(b"c")
    os.mkfifo(pipe)
    content = first.read_bytes() + second.read_bytes()
    assert file_digest(first, second) == hashlib.sha256(content).hexdigest()
    with pytest.raises(InputError, match=r"pipe: cannot be read \(it is a pipe\): expected a plan"):
        file_digest(first, pipe, expected="a plan")
    with pytest.raises(InputError, match="gone does not exist: expected a plan"):
        file_digest(tmp_path / "gone", expected="a plan")
