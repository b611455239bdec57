"""Which commit this code is of: as git says of a checkout, as it was built with elsewhere.

setup.py runs this file by its path, where nothing is installed: the standard library alone.
"""

import os
import subprocess
from functools import cache
from pathlib import Path

COMMIT_FILE = "_commit.txt"
"""What a build writes into an sdist's top folder and a wheel's package; never in a checkout."""


def commit_of(root: Path) -> str | None:
    """The commit of a tree, in 12 digits, with "+changed" where tracked files differ from it.

    None where neither git nor a file of a build tells. A tree that lies in a repository of others
    is not asked of theirs.
    """
    if (root / ".git").exists():
        return _as_git_says(root)
    try:
        return (root / COMMIT_FILE).read_text(encoding="ascii").strip() or None
    except (OSError, ValueError):
        return None


def _as_git_says(root: Path) -> str | None:
    # A hook's GIT_DIR is another repository's; and a look at the tree takes no lock in it.
    environment = {name: value for name, value in os.environ.items() if name[:4] != "GIT_"}
    environment["GIT_OPTIONAL_LOCKS"] = "0"
    command = ["git", "-C", str(root), "describe", "--always", "--abbrev=12", "--exclude=*"]
    try:
        said = subprocess.run(
            [*command, "--dirty=+changed"],
            env=environment,
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        )
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return said.stdout.strip() or None


@cache
def own_commit() -> str | None:
    """The commit of the code that runs; None where nothing tells."""
    return commit_of(Path(__file__).resolve().parents[2])  # the tree, or the installed package
