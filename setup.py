"""One import root, `smoothcert`, which is api/; its subpackages are the other top-level folders.

There is no folder called smoothcert: it would shadow the installed package in the repository.
What is built says which commit it was built from.
"""

import runpy
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

ROOT = Path(__file__).resolve().parent
FOLDERS = ("analysis", "cli", "cupy_kernels", "engine", "export", "training")
COMMIT = runpy.run_path(str(ROOT / "engine" / "base" / "commit.py"))


def write_commit(folder: Path) -> None:
    """Where the commit is known, write it into a folder of a build."""
    commit = COMMIT["commit_of"](ROOT)
    if commit is not None:
        (folder / COMMIT["COMMIT_FILE"]).write_text(f"{commit}\n", encoding="ascii")


class BuildWithCommit(build_py):
    """Into a wheel; an editable installation asks git."""

    def run(self) -> None:
        """See build_py."""
        super().run()
        if not self.editable_mode:
            write_commit(Path(self.build_lib) / "smoothcert")


class SdistWithCommit(sdist):
    """Into the top folder, where a build from the sdist finds it."""

    def make_release_tree(self, base_dir: str, files: list[str]) -> None:
        """See sdist."""
        super().make_release_tree(base_dir, files)
        write_commit(Path(base_dir))


found = find_packages(include=[pattern for name in FOLDERS for pattern in (name, f"{name}.*")])
setup(
    packages=["smoothcert", *(f"smoothcert.{package}" for package in found)],
    package_dir={"smoothcert": "api", **{f"smoothcert.{folder}": folder for folder in FOLDERS}},
    cmdclass={"build_py": BuildWithCommit, "sdist": SdistWithCommit},
)
