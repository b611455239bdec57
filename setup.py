"""One import root, `smoothcert`, whose subpackages are the top-level folders.

There is no folder called smoothcert: it would shadow the installed package in the repository.
"""

from setuptools import find_packages, setup

FOLDERS = ("analysis", "cli", "cupy_kernels", "engine", "export", "training")

found = find_packages(include=[pattern for name in FOLDERS for pattern in (name, f"{name}.*")])
setup(
    packages=[f"smoothcert.{package}" for package in found],
    package_dir={f"smoothcert.{folder}": folder for folder in FOLDERS},
)
