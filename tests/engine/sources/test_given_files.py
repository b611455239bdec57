import os
from pathlib import Path

import pytest

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.sources.given_files import check_regular, printable, some_of


def test_only_regular_files_are_read(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("file")
    for name in ("file", "link", "gone"):  # what is not there is for whoever opens it
        check_regular(tmp_path / name)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zero").symlink_to("/dev/zero")
    for name, what in (("pipe", "pipe"), ("zero", "device"), (".", "folder")):
        with pytest.raises(InputError, match=rf"cannot be read \(it is a {what}\)"):
            check_regular(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("x.png", "x.png"),
        ("größe 1.png", "größe 1.png"),
        (os.fsdecode(b"\xff.png"), "\\udcff.png"),
        ("a\nb\x1b[31m", "a\\nb\\x1b[31m"),
    ],
)
def test_names_are_one_line_of_text(name: str, expected: str) -> None:
    assert printable(name) == expected
    printable(name).encode()


def test_of_many_names_some_are_told() -> None:
    assert some_of(["a", "b"]) == "a, b"
    assert some_of(list("abcd"), 2) == "a, b and 2 more"
