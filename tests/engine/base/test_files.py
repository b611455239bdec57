"""The cache folder: where it is told to be, with nothing more than Python."""

import os
import subprocess
import sys
from pathlib import Path

from smoothcert.engine.base.files import cache_entry

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
