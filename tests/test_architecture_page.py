"""docs/architecture.md speaks of the house that stands here."""

import re
from pathlib import Path

from smoothcert.engine.statistics import procedures

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
LAYERS = (ROOT / "tests" / "test_layers.py").read_text(encoding="utf-8")


def test_every_file_it_names_exists() -> None:
    named = set(re.findall(r"`([\w/]+(?:/|\.py|\.md))`", PAGE))
    assert len(named) > 30
    missing = [name for name in named if not (ROOT / name).exists()]
    assert set(missing) <= {"base.py", "opening.py", "gpu.py"}  # of the row's room


def test_every_name_of_the_walk_is_where_it_says() -> None:
    steps = re.findall(r"^\d\. `([\w/.]+)`: `([\w.]+)`", PAGE, re.M)
    assert len(steps) == 7
    for file, name in steps:
        source = (ROOT / file).read_text(encoding="utf-8")
        for part in name.split("."):
            assert re.search(rf"^\s*(def|class) {part}\b", source, re.M), (file, name)


def test_its_rooms_are_those_of_the_rule() -> None:
    rooms = {room.rstrip("/") for room in re.findall(r"^\| `([\w/]+)` \|", PAGE, re.M)}
    rule = set(re.findall(r'^    "([\w.]+)": ', LAYERS, re.M))
    assert rooms == {room.replace(".", "/") for room in rule - {"engine", "engine.backends.base"}}


def test_it_quotes_certify_whole() -> None:
    (quoted,) = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    assert quoted in Path(procedures.__file__).read_text(encoding="utf-8")
