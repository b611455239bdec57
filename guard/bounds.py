"""The core's tests with the oldest packages that pyproject.toml allows, or the newest there are.

    python guard/bounds.py oldest|newest [--python python3.11] [PYTEST...]    # make oldest, newest

Of each package that the product or its extra cpu asks for by name; the tests' tools are the newest,
and what these packages need in turn pip chooses. Tests of other extras are skipped. The environment
is in out/bounds; the last line is pytest's.
"""

import argparse
import subprocess
import tomllib

from environments import ROOT, Environment, Results
from packaging.requirements import Requirement

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
TESTS = ("tests/engine", "tests/cli/shell", "tests/cli/test_main.py", "tests/cli/test_certify.py")
TOOLS = ("hypothesis", "pytest", "selenium")  # tests/conftest.py needs these


def oldest() -> list[str]:
    """Pins of the lower bounds, as pip takes them for constraints."""
    listed = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["cpu"]]
    pins = []
    for requirement in map(Requirement, listed):
        (bound,) = (each for each in requirement.specifier if each.operator == ">=")
        pins.append(f"{requirement.name}=={bound.version}")
    return pins


def main() -> None:
    """Install, then test."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("which", choices=["oldest", "newest"])
    parser.add_argument("--python", default="python3.11")
    options, pytest = parser.parse_known_args()
    folder = ROOT / "out" / "bounds" / options.which
    environment, results = Environment(folder / "environment"), Results()
    folder.mkdir(parents=True, exist_ok=True)
    pins = folder / "constraints.txt"
    pins.write_text("".join(f"{pin}\n" for pin in oldest() if options.which == "oldest"))

    def install() -> str:
        environment.make(options.python)
        environment.install("-c", str(pins), ".[cpu]", *TOOLS)
        return " ".join(environment.python("-m", "pip", "freeze").split())

    if results.step(f"the {options.which} packages", install):
        command = [str(environment.folder / "bin" / "python"), "-m", "pytest"]
        done = subprocess.run([*command, *(pytest or TESTS)], cwd=ROOT, check=False)
        results.failed = done.returncode != 0
    results.exit()


if __name__ == "__main__":
    main()
