"""One import root, `smoothcert`, which is api/; its subpackages are the other top-level folders.

There is no folder called smoothcert: it would shadow the installed package in the repository.
"""

from setuptools import find_packages, setup

FOLDERS = ("analysis", "cli", "cupy_kernels", "engine", "export", "training")

found = find_packages(include=[pattern for name in FOLDERS for pattern in (name, f"{name}.*")])
setup(
    packages=["smoothcert", *(f"smoothcert.{package}" for package in found)],
    package_dir={"smoothcert": "api", **{f"smoothcert.{folder}": folder for folder in FOLDERS}},
)
