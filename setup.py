"""One import root, `smoothcert`; its subpackages are the top-level folders (there is no folder called
smoothcert, which would shadow the installed package where one stands in the repository)."""

from setuptools import find_packages, setup

FOLDERS = ("analysis", "cli", "cupy_kernels", "engine", "export", "training")

found = find_packages(include=[pattern for name in FOLDERS for pattern in (name, f"{name}.*")])
setup(
    packages=[f"smoothcert.{package}" for package in found],
    package_dir={f"smoothcert.{folder}": folder for folder in FOLDERS},
)
