"""What is installed is what stands here: no folder of the package is forgotten in the wheel."""

import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from smoothcert.engine.base.commit import commit_of

ROOT = Path(__file__).parents[1]
FOLDERS = re.findall(r"^PACKAGES := (.*)$", (ROOT / "Makefile").read_text(), re.M)[0].split()


BUILD = (
    "import sys; from setuptools import build_meta; getattr(build_meta, sys.argv[1])(sys.argv[2])"
)


def files_of(folder: Path) -> set[str]:
    """Everything under a folder but what Python leaves there."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix() for path in found if path.suffix != ".pyc"}


def built(tree: Path, kind: str) -> Path:
    """What setuptools makes of a tree: build_sdist or build_wheel."""
    out = tree.parent / f"{kind} of {tree.name}"
    command = [sys.executable, "-c", BUILD, kind, str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tree)
    assert done.returncode == 0, done.stderr
    (file,) = out.iterdir()
    return file


def contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a build needs of the repository, as a checkout with one commit."""
    tree = tmp_path_factory.mktemp("package") / "tree"
    tree.mkdir()
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, tree / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tree)
    for command in ("init -q", "add .", "-c user.name=t -c user.email=t@localhost commit -qm 1"):
        subprocess.run(["git", "-C", tree, *command.split()], check=True)
    return tree


@pytest.fixture(scope="module")
def wheel(tree: Path) -> dict[str, bytes]:
    return contents(built(tree, "build_wheel"))


def test_every_file_of_the_package_is_in_the_wheel(tree: Path, wheel: dict[str, bytes]) -> None:
    inside = {name for name in wheel if ".dist-info/" not in name}
    expected = {
        "/".join(("smoothcert", *([] if folder == "api" else [folder]), name))
        for folder in FOLDERS
        for name in files_of(tree / folder)
    }
    assert inside == expected | {"smoothcert/_commit.txt"}


def test_what_is_built_says_its_commit_and_leaves_the_tree_alone(
    tree: Path, wheel: dict[str, bytes]
) -> None:
    commit = wheel["smoothcert/_commit.txt"].decode().strip()
    assert commit_of(tree) == commit
    head = subprocess.run(
        ["git", "-C", tree, "rev-parse", "HEAD"], capture_output=True, text=True, check=True
    )
    assert head.stdout.startswith(commit)
    written = [path for path in tree.rglob("_commit.txt") if path.parent.parent.name != "lib"]
    assert written == []


@pytest.mark.slow
def test_a_wheel_from_the_sdist_is_that_of_the_tree(
    tree: Path, wheel: dict[str, bytes], tmp_path: Path
) -> None:
    """Kernels, the report's assets, py.typed, licence and README included."""
    with tarfile.open(built(tree, "build_sdist")) as archive:
        archive.extractall(tmp_path, filter="data")
    (unpacked,) = tmp_path.iterdir()
    assert contents(built(unpacked, "build_wheel")) == wheel


def test_the_tree_s_folders_are_those_of_the_package() -> None:
    """A top-level folder with an __init__.py that no list names would never be installed."""
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert packages == set(FOLDERS)


def test_an_uninstalled_tree_is_linked_whole() -> None:
    """benchmarks/gpu_suite.sh, on machines where nothing can be installed."""
    script = (ROOT / "benchmarks" / "gpu_suite.sh").read_text()
    packages = ",".join(sorted(set(FOLDERS) - {"api"}))
    assert f'ln -s "$PWD"/api/*.py "$PWD"/{{{packages}}} "$ROOT/smoothcert/"' in script
