"""Pages that list what the code has: columns, names, files."""

import json
import re
from pathlib import Path

import pytest

import smoothcert
from smoothcert.engine.log.rows import (
    BUDGET_COLUMNS,
    COLUMNS,
    TRANSFER_COLUMNS,
    TWO_CLASS_COLUMNS,
)

ROOT = Path(__file__).parents[2]


def test_the_page_of_columns_has_those_of_the_log() -> None:
    page = (ROOT / "docs" / "columns.md").read_text(encoding="utf-8")
    named = tuple(re.findall(r"^\| `(\w+)` \|", page, re.M))
    assert named == COLUMNS + TWO_CLASS_COLUMNS + BUDGET_COLUMNS + TRANSFER_COLUMNS


def test_the_page_of_the_api_has_all_that_the_package_gives() -> None:
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    documented = {name.rpartition(".")[2] for name in re.findall(r"^::: (\S+)", page, re.M)}
    assert set(smoothcert.__all__) <= documented


def test_a_run_writes_a_manifest_of_the_schema(documented_files: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads((ROOT / "docs" / "manifest.schema.json").read_text(encoding="utf-8"))
    manifest = json.loads((documented_files / "out.tsv.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema).validate(manifest)


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_links_beside_the_site_lead_somewhere(page: str) -> None:
    targets = re.findall(r"\]\(([\w./-]+)", (ROOT / page).read_text(encoding="utf-8"))
    assert targets
    assert [target for target in targets if not (ROOT / target).exists()] == []


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/guarantees.md"])
def test_files_that_a_page_names_are_there(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    named = re.findall(r"`((?:tests|engine|docs|guard)/[\w/.]+)`", text)
    assert len(named) > 3
    assert [name for name in named if not (ROOT / name).exists()] == []
