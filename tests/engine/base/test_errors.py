"""What is said of a missing package is what installs it."""

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from smoothcert.engine.base.errors import MissingPartError, require, system_line

ROOT = Path(__file__).parents[3]
DISTRIBUTIONS = {
    "cupy": "cupy-cuda13x",
    "onnxruntime": "onnxruntime",
    "prometheus_client": "prometheus-client",
    "efficientnet_lite_pytorch": "efficientnet-lite-pytorch",
}
"""Of modules that are named differently."""


def calls() -> Iterator[tuple[str, str]]:
    """(module, extra) of every call of require that names both."""
    for folder in ("engine", "export", "cli", "training", "analysis", "benchmarks"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if not isinstance(node, ast.Call) or ast.unparse(node.func) != "require":
                    continue
                values = [a.value for a in node.args[:2] if isinstance(a, ast.Constant)]
                if len(values) == 2 and isinstance(values[1], str):
                    yield str(values[0]), values[1]


def test_every_extra_that_is_named_exists_and_brings_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    found = set(calls())
    assert len(found) >= 15
    for module, extra in sorted(found):
        top = module.partition(".")[0]
        name = DISTRIBUTIONS.get(top, top)
        assert extra in extras, (module, extra)
        assert any(line.startswith(name) for line in extras[extra]), (module, extra)


@pytest.mark.parametrize(
    ("extra", "command"),
    [("export", "pip install 'smoothcert[export]'"), (None, "pip install no_such_package")],
)
def test_a_missing_package_is_one_line(extra: str | None, command: str) -> None:
    with pytest.raises(MissingPartError) as caught:
        require("no_such_package.part", extra, "a test")
    message = str(caught.value)
    assert message.startswith("a test needs the package no_such_package")
    assert message.endswith(command)


def test_a_broken_package_is_no_missing_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it fails to import itself is its own trouble, and is shown as such."""
    (tmp_path / "broken_package.py").write_text("import nothing_of_that_name")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ModuleNotFoundError, match="nothing_of_that_name"):
        require("broken_package", "export", "a test")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(28, "No space left on device", "o.tsv"), "o.tsv: No space left on device"),
        (OSError(28, "No space left on device", b"o.tsv"), "o.tsv: No space left on device"),
        (OSError(28, "No space left on device", 3), "No space left on device"),
        (OSError(28, "No space left on device"), "No space left on device"),
        (OSError("of a\nlibrary"), "of a library"),
        (OSError(), "OSError"),
    ],
)
def test_what_the_system_says_is_one_line_without_its_number(error: OSError, said: str) -> None:
    assert system_line(error) == said
