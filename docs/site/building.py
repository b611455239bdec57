"""What MkDocs asks of us while it builds: one package to document, formulas as MathML, and lines of
docstrings that are aligned."""

import html
import re
from pathlib import Path
from typing import Any

from latex2mathml.converter import convert

ROOT = Path(__file__).parents[2]
FOLDERS = ("analysis", "cli", "cupy_kernels", "engine", "export", "training")

_FORMULA = re.compile(
    r'<(?P<tag>span|div) class="arithmatex">\\[(\[](?P<tex>.*?)\\[)\]]</(?P=tag)>', re.S
)
_PARAGRAPH = re.compile(r"<p>(?P<text>[^\n]*\S {2,}\S.*?)</p>", re.S)


def on_startup(**_: Any) -> None:
    """Link the package together as an installation has it: api/ is its root (setup.py)."""
    package = ROOT / "out" / "docs" / "smoothcert"
    package.mkdir(parents=True, exist_ok=True)
    for old in package.iterdir():
        old.unlink()
    for part in (*(ROOT / "api").glob("*.py"), *(ROOT / folder for folder in FOLDERS)):
        (package / part.name).symlink_to(part)


def on_page_content(content: str, **_: Any) -> str:
    """A page with its formulas as MathML, which a browser draws without a script, and the lines of
    a paragraph that has columns kept apart."""
    content = _FORMULA.sub(_mathml, content)
    return _PARAGRAPH.sub(r'<p class="aligned">\g<text></p>', content)


def _mathml(found: re.Match[str]) -> str:
    display = "block" if found["tag"] == "div" else "inline"
    return convert(html.unescape(found["tex"]).strip(), display=display)
