from pathlib import Path

import pytest

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.sources.patterns import expand


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    names = ["x-008.tar", "x-009.tar", "x-010.tar", "x-a.tar", "y-8.tar", "y-9.tar", "y-10.tar"]
    for name in [*names, "z-{1,2}.tar", "w[1].tar"]:
        (tmp_path / name).touch()
    return tmp_path


def names(folder: Path, pattern: str) -> list[str]:
    return [path.name for path in expand(f"{folder}/{pattern}")]


def test_a_range_keeps_its_padding(folder: Path) -> None:
    assert names(folder, "x-{008..010}.tar") == ["x-008.tar", "x-009.tar", "x-010.tar"]


def test_a_range_without_padding_is_in_number_order(folder: Path) -> None:
    assert names(folder, "y-{8..10}.tar") == ["y-8.tar", "y-9.tar", "y-10.tar"]
    assert names(folder, "y-{10..9}.tar") == ["y-10.tar", "y-9.tar"]


def test_alternatives_keep_their_order_and_combine(folder: Path) -> None:
    assert names(folder, "x-{a,008}.tar") == ["x-a.tar", "x-008.tar"]
    assert names(folder, "{y,x}-{*9,*8}.tar") == [
        "y-9.tar", "y-8.tar", "x-009.tar", "x-008.tar",
    ]  # fmt: skip


def test_a_glob_is_sorted(folder: Path) -> None:
    assert names(folder, "x-0*.tar") == ["x-008.tar", "x-009.tar", "x-010.tar"]
    assert names(folder, "y-?.tar") == ["y-8.tar", "y-9.tar"]


def test_an_existing_path_is_itself(folder: Path) -> None:
    assert names(folder, "z-{1,2}.tar") == ["z-{1,2}.tar"]
    assert names(folder, "w[1].tar") == ["w[1].tar"]
    assert expand(str(folder)) == [folder]


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("none.tar", "none.tar does not exist"),
        ("x-{007..009}.tar", r"x-007\.tar \(of the pattern .*\) does not exist"),
        ("q-*.tar", r"q-\*\.tar does not exist"),
        ("x-{008.tar", "its braces are no pattern"),
        ("x-{a,{b,c}}.tar", "not nested"),
        ("x-{0..999999999}.tar", "more than 100,000 files"),
        ("{0..999}{0..999}.tar", "more than 100,000 files"),
        ("x-{0..99999999999999999999}.tar", "its braces are no pattern"),
        ("x" * 5000, "does not exist"),
    ],
)
def test_what_names_nothing_is_refused(folder: Path, pattern: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        expand(f"{folder}/{pattern}")


def test_an_empty_path_is_refused() -> None:
    with pytest.raises(InputError, match="empty path"):
        expand("")
