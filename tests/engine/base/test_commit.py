"""A commit is told of one's own checkout or build, and of nothing else."""

import subprocess
from pathlib import Path

import pytest

from smoothcert.engine.base.commit import COMMIT_FILE, commit_of


def git(folder: Path, *arguments: str) -> str:
    who = ["-c", "user.name=t", "-c", "user.email=t@localhost"]
    done = subprocess.run(
        ["git", "-C", folder, *who, *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "checkout"
    folder.mkdir()
    (folder / "code.py").write_text("1\n")
    git(folder, "init", "-q")
    git(folder, "add", "code.py")
    git(folder, "commit", "-q", "-m", "one")
    git(folder, "tag", "v1")  # a tag is no commit
    return folder


def test_a_checkout_s_commit_and_whether_it_was_changed(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = git(checkout, "rev-parse", "HEAD")[:12]
    monkeypatch.setenv("GIT_DIR", str(tmp_path))  # as in a hook of another repository
    assert commit_of(checkout) == commit
    (checkout / "notes").write_text("untracked\n")
    assert commit_of(checkout) == commit
    (checkout / "code.py").write_text("2\n")
    assert commit_of(checkout) == f"{commit}+changed"


def test_a_tree_in_a_repository_of_others_has_none(checkout: Path) -> None:
    inside = checkout / "vendored"
    inside.mkdir()
    assert commit_of(inside) is None
    (inside / COMMIT_FILE).write_text("0123456789ab\n")
    assert commit_of(inside) == "0123456789ab"


def test_a_damaged_one_is_unknown(tmp_path: Path) -> None:
    (tmp_path / COMMIT_FILE).write_bytes(b"\xff\n")
    assert commit_of(tmp_path) is None
    (tmp_path / ".git").mkdir()  # no repository
    assert commit_of(tmp_path) is None
