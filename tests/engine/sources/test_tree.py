import os
from pathlib import Path

import pytest

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.sources.tree import LeftOut, photographs_below


def grow(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def below(root: Path) -> tuple[list[str], tuple[str, ...]]:
    left_out = LeftOut()
    found = [os.path.relpath(file, root) for file in photographs_below(root, left_out)]
    return found, left_out.sentences()


def test_photographs_at_any_depth_in_imagefolders_order(tmp_path: Path) -> None:
    grow(tmp_path, "b.png", "B.JPEG", "a/z.jpg", "a/b/c.webp", "a-b/x.ppm", "notes.txt", "a/x.db")
    assert below(tmp_path) == (["B.JPEG", "b.png", "a/z.jpg", "a-b/x.ppm", "a/b/c.webp"], ())


def test_what_others_left_there_is_left_out(tmp_path: Path) -> None:
    grow(
        tmp_path, "a/x.png", "a/._x.png", "a/.ipynb_checkpoints/x-checkpoint.png",
        "b/.ipynb_checkpoints/y.png", "__MACOSX/a/x.png", "a/@eaDir/x.png/thumb.jpg", "a/Thumbs.db",
        "a/.DS_Store", "lost+found/x.png",
    )  # fmt: skip
    found, said = below(tmp_path)
    assert found == ["a/x.png"]
    assert said == (
        "left out the folders .ipynb_checkpoints (2 times), @eaDir, __MACOSX, lost+found and 1 "
        "hidden file: no classes or photographs",
    )
    grow(tmp_path / "c", "x.png", ".ipynb_checkpoints/x.png")
    assert below(tmp_path / "c")[1] == ("left out .ipynb_checkpoints: no classes or photographs",)


def test_links_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    grow(tmp_path, "other/x.png", "a/y.png")
    (tmp_path / "a" / "l").symlink_to(tmp_path / "other")
    assert below(tmp_path / "a")[0] == ["y.png", "l/x.png"]
    (tmp_path / "other" / "up").symlink_to(tmp_path / "a")
    for root in ("a", "other"):
        with pytest.raises(InputError, match="is a link to a folder that it lies in"):
            below(tmp_path / root)
    (tmp_path / "other" / "up").unlink()
    (tmp_path / "a" / "l").unlink()
    (tmp_path / "a" / "self").symlink_to(".")
    with pytest.raises(InputError, match=r"a/self: is a link to a folder that it lies in"):
        below(tmp_path / "a")
