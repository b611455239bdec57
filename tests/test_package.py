"""What is installed is what stands here: no folder of the package is forgotten in the wheel."""

import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDERS = re.findall(r"^PACKAGES := (.*)$", (ROOT / "Makefile").read_text(), re.M)[0].split()


def files_of(folder: Path) -> set[str]:
    """Everything under a folder but what Python leaves there."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix() for path in found if path.suffix != ".pyc"}


def test_every_file_of_the_package_is_in_the_wheel(tmp_path: Path) -> None:
    tree, wheels = tmp_path / "tree", tmp_path / "wheels"
    tree.mkdir()
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, tree / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tree)
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation"]
    command += ["--disable-pip-version-check", f"--wheel-dir={wheels}", str(tree)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (wheel,) = wheels.iterdir()
    with zipfile.ZipFile(wheel) as archive:
        inside = {name for name in archive.namelist() if ".dist-info/" not in name}
    expected = {
        "/".join(("smoothcert", *([] if folder == "api" else [folder]), name))
        for folder in FOLDERS
        for name in files_of(tree / folder)
    }
    assert inside == expected


def test_the_tree_s_folders_are_those_of_the_package() -> None:
    """A top-level folder with an __init__.py that no list names would never be installed."""
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert packages == set(FOLDERS)


def test_an_uninstalled_tree_is_linked_whole() -> None:
    """benchmarks/gpu_suite.sh, on machines where nothing can be installed."""
    script = (ROOT / "benchmarks" / "gpu_suite.sh").read_text()
    packages = ",".join(sorted(set(FOLDERS) - {"api"}))
    assert f'ln -s "$PWD"/api/*.py "$PWD"/{{{packages}}} "$ROOT/smoothcert/"' in script
