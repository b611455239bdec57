"""A killed run is dead at the step or the second it was to be, and what it began with it."""

import os
import subprocess
import sys
import time
from pathlib import Path

from killing import Kill, left_behind, of_trial, run


def rewrite() -> None:
    for number in range(5):
        Path("new").write_text(str(number))
        Path("new").replace("file")


def test_steps_are_counted_and_the_kill_comes_before_one(tmp_path: Path) -> None:
    folder = tmp_path / "trial"
    folder.mkdir()
    whole = run(rewrite, folder, tmp_path / "said.txt")
    assert whole.code == 0
    assert (folder / "file").read_text() == "4"
    numbers = []
    for step in range(1, whole.steps + 2):
        (folder / "file").write_text("-1")
        ended = run(rewrite, folder, tmp_path / "said.txt", Kill(step=step))
        assert ended.code == (-9 if step <= whole.steps else 0)
        numbers.append(int((folder / "file").read_text()))
    assert sorted(set(numbers)) == [-1, 0, 1, 2, 3, 4]
    assert numbers == sorted(numbers)


def test_a_moment_may_be_a_time(tmp_path: Path) -> None:
    ended = run(lambda: time.sleep(60), tmp_path, tmp_path / "said.txt", Kill(seconds=0.1))
    assert ended.code == -9
    assert ended.seconds < 50


def start_another() -> None:
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
    os.kill(os.getpid(), 9)


def test_what_is_left_behind_is_found_and_ended(tmp_path: Path) -> None:
    assert run(start_another, tmp_path, tmp_path / "said.txt").code == -9
    assert len(of_trial(tmp_path)) == 1
    (left,) = left_behind(tmp_path, 0.0)
    assert "sleep" in left
    assert left_behind(tmp_path, 30.0) == []
    assert of_trial(tmp_path) == []


def test_how_a_command_ends_is_its_exit_code(tmp_path: Path) -> None:
    def refuse() -> None:
        print("no")
        sys.exit(2)

    assert run(refuse, tmp_path, tmp_path / "said.txt").code == 2
    assert (tmp_path / "said.txt").read_text() == "no\n"
