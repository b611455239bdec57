"""docs/security.md promises by tests: each that it names is there, and each line names one."""

import ast
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
NAMED = re.compile(r"`([\w/]+\.py)::(test_\w+)`")


@cache
def names_in(file: str) -> frozenset[str]:
    path = ROOT / "tests" / file
    if not path.is_file():
        return frozenset()
    found = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return frozenset(node.name for node in found if isinstance(node, ast.FunctionDef))


def test_every_test_that_the_security_page_names_is_there() -> None:
    named = NAMED.findall(PAGE)
    assert len(named) > 50
    gone = [f"{file}::{name}" for file, name in named if name not in names_in(file)]
    assert gone == []


def test_every_threat_has_a_test() -> None:
    threats = PAGE.partition("## Threats")[2].splitlines()
    lines = [line for line in threats if line.startswith("|") and not line.startswith("|---")]
    lines = [line for line in lines if line != "| input | threat | what happens | tests |"]
    assert len(lines) > 30
    assert [line for line in lines if not NAMED.search(line)] == []
    assert {line.count(" | ") for line in lines} == {3}


def test_links_of_the_security_pages_lead_somewhere() -> None:
    for name in ("SECURITY.md", "docs/security.md", "guard/README.md"):
        page = ROOT / name
        for target in re.findall(r"\]\(([\w./-]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).is_file(), f"{name}: {target}"
