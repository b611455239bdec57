"""The cache folder: where it is told to be, with nothing more than Python."""

import os
import subprocess
import sys
from pathlib import Path

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
