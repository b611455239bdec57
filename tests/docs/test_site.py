"""The site of docs/: strict, complete, and with nothing to fetch."""

import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]

pytest.importorskip("mkdocs", reason="the extra docs is not installed")


def build(site: Path, **changes: Any) -> None:
    from mkdocs.commands.build import build as build_site
    from mkdocs.config import load_config

    config = load_config(str(ROOT / "mkdocs.yml"), site_dir=str(site), **changes)
    config.plugins.on_startup(command="build", dirty=False)
    build_site(config)


@pytest.mark.slow
def test_the_site_builds_and_fetches_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("NO_MKDOCS_2_WARNING", "1")
    build(tmp_path / "site")
    pages = {
        page.relative_to(tmp_path / "site").as_posix(): page.read_text(encoding="utf-8")
        for page in (tmp_path / "site").rglob("*.html")
    }
    documents = {
        page.relative_to(ROOT / "docs").with_suffix(".html").as_posix()
        for page in (ROOT / "docs").rglob("*.md")
    }
    assert {page.replace("README.html", "index.html") for page in documents} <= set(pages)
    for name, text in pages.items():
        fetched = re.findall(r'(?:src|<link[^>]*href)="(https?:[^"]*)"', text)
        assert fetched == [], name
    formulas = re.findall(r"<math.*?</math>", "".join(pages.values()), re.S)
    assert len(formulas) > 100
    assert [each for each in formulas if "\\" in each] == []
    assert not any("arithmatex" in text for text in pages.values())
    assert pages["api.html"].count("doc-heading") > 30


def test_a_link_that_leads_nowhere_ends_the_build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mkdocs.exceptions import Abort

    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("NO_MKDOCS_2_WARNING", "1")
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "pages.css").touch()
    bare: dict[str, Any] = {"nav": ["index.md"], "plugins": [], "hooks": []}
    changes = {"docs_dir": str(docs), **bare}
    (docs / "index.md").write_text("# One\n\n[to itself](index.md#one)\n", encoding="utf-8")
    build(tmp_path / "site", **changes)
    for target in ("other.md", "index.md#two"):
        (docs / "index.md").write_text(f"# One\n\n[nowhere]({target})\n", encoding="utf-8")
        with pytest.raises(Abort):
            build(tmp_path / "site", **changes)
