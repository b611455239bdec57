"""Files, folders and patterns: which logs are opened, and what becomes of the others."""

import json
from pathlib import Path

import pytest

from smoothcert.analysis.opening import open_logs
from smoothcert.analysis.reading.text import EmptyLogError
from smoothcert.engine.base.errors import InputError

HEADER = "idx\tlabel\tpredict\tradius\tcorrect\ttime\n"
ROW = "0\t3\t3\t0.5\t1\t1\n"
DAMAGED = HEADER + "0\t3\t4\t0.5\t1\t1\n"


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """A folder of two logs, an empty one and a damaged one, with what lies beside logs."""
    folder = tmp_path / "runs"
    (folder / "more").mkdir(parents=True)
    for name, text in (
        ("a.tsv", HEADER + ROW),
        ("more/sigma_0.25", HEADER + ROW),
        ("empty.tsv", HEADER),
        ("damaged.tsv", DAMAGED),
        ("README.md", f"# Runs\n{HEADER}"),
        ("notes.txt", "none of it is a log\n"),
        (".hidden", HEADER + ROW),
        ("a.tsv.json", json.dumps({"run": {"sigma": 0.25}, "status": "complete"})),
        ("other.json", "{}"),
    ):
        (folder / name).write_text(text)
    (folder / "picture.png").write_bytes(b"\x89PNG\r\n\0\0")
    (folder / ".git").mkdir()
    (folder / ".git" / "log").write_text(HEADER + ROW)
    return folder


def test_a_folder(runs: Path) -> None:
    found = open_logs([runs])
    assert [log.path.name for log in found.logs] == ["a.tsv", "sigma_0.25"]
    assert found.logs[0].sigma == 0.25
    assert [(s.path.name, s.damaged) for s in found.skipped] == [
        ("damaged.tsv", True), ("empty.tsv", False),
    ]  # fmt: skip
    assert "line 2 has correct 1" in found.skipped[0].why
    assert found.notes == [f"{runs}: no log, left out: README.md and 3 more"]


def test_a_pattern(runs: Path) -> None:
    found = open_logs([runs / "*.tsv*"])
    assert [log.path.name for log in found.logs] == ["a.tsv"]
    assert [s.path.name for s in found.skipped] == ["damaged.tsv", "empty.tsv"]
    every = open_logs([runs / "**" / "sigma_*"])
    assert [log.path.name for log in every.logs] == ["sigma_0.25"]


def test_a_shells_pattern_brings_manifests_and_folders(runs: Path) -> None:
    found = open_logs(sorted(path for path in runs.iterdir() if not path.name.startswith(".")))
    assert [log.path.name for log in found.logs] == ["a.tsv", "sigma_0.25"]
    refused = {s.path.name: s.damaged for s in found.skipped}
    assert "a.tsv.json" not in refused
    assert refused == {
        "README.md": False, "damaged.tsv": True, "empty.tsv": False, "notes.txt": True,
        "other.json": True, "picture.png": True,
    }  # fmt: skip


def test_what_is_named_twice_is_read_twice_but_for_a_folders(runs: Path) -> None:
    log = runs / "a.tsv"
    assert len(open_logs([log, log]).logs) == 2
    assert len(open_logs([log, runs]).logs) == 2


def test_an_order_that_stays(runs: Path) -> None:
    names = [runs / "more" / "sigma_0.25", runs / "a.tsv"]
    assert [log.path for log in open_logs(names).logs] == names


@pytest.mark.parametrize("name", ["empty.tsv", "damaged.tsv", "other.json", "a.tsv.json"])
def test_alone_its_own_error(runs: Path, name: str) -> None:
    with pytest.raises(InputError) as caught:
        open_logs([runs / name])
    assert isinstance(caught.value, EmptyLogError) == (name == "empty.tsv")


def test_a_damaged_manifest_is_left_out_like_a_damaged_log(runs: Path) -> None:
    (runs / "a.tsv.json").write_text('{"run": {"sigma": -1}}')
    found = open_logs([runs / "a.tsv", runs / "more"])
    assert [log.path.name for log in found.logs] == ["sigma_0.25"]
    assert "a.tsv.json has run.sigma -1" in found.skipped[0].why
    assert found.skipped[0].damaged


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("absent.tsv", "absent.tsv does not exist"),
        ("absent*", r"absent\* matches no file"),
        (".git", "holds no log"),
    ],
)
def test_nothing_there(runs: Path, name: str, words: str) -> None:
    (runs / ".git" / "log").unlink()
    for others in ([], [runs / "a.tsv"]):
        with pytest.raises(InputError, match=words):
            open_logs([*others, runs / name])


def test_columns_are_of_all_logs(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_text("3\t3\t0.5\n")
    (tmp_path / "c").write_text("words alone\n")
    (tmp_path / "d").write_text(HEADER + ROW)
    found = open_logs([tmp_path], ("label", "predict", "radius"))
    assert [log.path.name for log in found.logs] == ["a", "b"]
    assert found.notes == [f"{tmp_path}: no log, left out: c and 1 more"]


def test_a_file_with_a_patterns_name_is_itself(tmp_path: Path) -> None:
    (tmp_path / "a[1].tsv").write_text(HEADER + ROW)
    assert len(open_logs([tmp_path / "a[1].tsv"]).logs) == 1
