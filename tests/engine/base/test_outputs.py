"""Outputs: what may be written to, and what is refused before anything is."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.outputs import check_folder, check_output, is_same_file


def refusal(path: Path, **options: object) -> str:
    with pytest.raises(InputError) as refused:
        check_output(path, **options)  # type: ignore[arg-type]
    said = str(refused.value)
    assert "\n" not in said
    return said


def test_a_new_file_in_a_folder_that_is_there(tmp_path: Path) -> None:
    check_output(tmp_path / "new")
    assert list(tmp_path.iterdir()) == []


def test_a_name_alone_is_in_this_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    check_output(Path("new"))


def test_a_file_is_replaced_where_that_was_asked_for(tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.write_text("precious")
    assert refusal(there) == f"output {there} exists already: expected a new file; choose another"
    assert "; or --force" in refusal(there, choice="or --force")
    check_output(there, replace=True)
    assert there.read_text() == "precious"


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(os.path.relpath(path))  # the name of a socket is short


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (Path.mkdir, "a folder"),
        (os.mkfifo, "a pipe"),
        (make_socket, "a socket"),
        (lambda path: path.symlink_to("/dev/null"), "a device"),
        (lambda path: path.symlink_to(path.parent), "a folder"),
        (lambda path: path.symlink_to(path), "a link to a file that is not there"),
        (lambda path: path.symlink_to("absent"), "a link to a file that is not there"),
    ],
)
def test_what_is_no_file_is_never_replaced(
    make: Callable[[Path], None], kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "out"
    make(path)
    before = path.lstat()
    for replace in (False, True):
        assert f"output {path} cannot be written (it is {kind})" in refusal(path, replace=replace)
    assert os.path.samestat(path.lstat(), before)


@pytest.mark.parametrize("name", ["n" * 256, "a\0b", "\ud800"])
def test_what_is_no_name_of_a_file(name: str, tmp_path: Path) -> None:
    assert "cannot be written" in refusal(tmp_path / name)


def test_folders_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("absent")
    assert "is no folder that exists)" in refusal(tmp_path / "absent" / "out")
    assert "is no folder)" in refusal(tmp_path / "file" / "out")
    assert "is no folder)" in refusal(tmp_path / "link" / "out")
    assert "is no folder that exists)" in refusal(tmp_path / "a\0b" / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "link"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write to any folder")
@pytest.mark.parametrize("mode", [0o500, 0o600, 0o000])
def test_a_folder_that_nothing_can_be_made_in(mode: int, tmp_path: Path) -> None:
    folder = tmp_path / "closed"
    folder.mkdir()
    folder.chmod(mode)
    with pytest.raises(InputError, match="may not be written to"):
        check_folder(folder, "output out")
    folder.chmod(0o700)


def test_what_is_read_is_not_written_over_by_any_name(tmp_path: Path) -> None:
    read = tmp_path / "read"
    read.touch()
    names = [read, tmp_path / "soft", tmp_path / "hard", tmp_path / "sub" / ".." / "read"]
    names[1].symlink_to(read)
    names[2].hardlink_to(read)
    (tmp_path / "sub").mkdir()
    for name in names:
        for given in names:
            said = refusal(name, replace=True, inputs=[None, "*.npz", given])
            assert said == (
                f"output {name} is {given}, which this command reads: expected another file"
            )
    check_output(read, replace=True, inputs=[None, "a\0b", "hf:folder", tmp_path / "absent"])


def test_files_are_one_where_all_links_lead_there(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.touch()
    assert not is_same_file(one, other)
    other.touch()
    assert not is_same_file(one, other)
    assert is_same_file(one, f"{tmp_path}/./one")
