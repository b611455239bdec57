"""The schema of manifests, as docs/ has it: `python tests/engine/log/test_manifest_schema.py`
writes docs/manifest.schema.json and docs/manifest.md anew."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from smoothcert.engine.log.manifest_reading import DEEPEST, MOST_BYTES, MOST_VALUES
from smoothcert.engine.log.manifest_schema import REQUIRED, Manifest, Purpose

ROOT = Path(__file__).parents[3]
SCHEMA = ROOT / "docs" / "manifest.schema.json"
TABLE = ROOT / "docs" / "manifest.md"
GOLDEN = sorted((ROOT / "tests" / "golden").glob("*.tsv.json"))

Node = dict[str, Any]


def json_schema() -> Node:
    """JSON Schema of what a run writes, with all that any command needs."""
    schema = msgspec.json.schema(Manifest)
    for name in sorted({name for names in REQUIRED.values() for name in names}):
        node = schema
        for part in name.split("."):
            node = at(schema, node)
            node["required"] = sorted({*node.get("required", []), part})
            node = node["properties"][part]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "The manifest of a log of smoothcert",
        **schema,
    }


def at(schema: Node, node: Node) -> Node:
    """A node, behind its reference."""
    while "$ref" in node:
        node = schema["$defs"][node["$ref"].rpartition("/")[2]]
    return node


def words(schema: Node, node: Node) -> str:
    """The type of an entry, and its range."""
    if "anyOf" in node:
        return " or ".join(words(schema, each) for each in node["anyOf"])
    if "$ref" in node:
        return "object"
    kind = node.get("type")
    if kind == "array":
        most = f"1 to {node['maxItems']} of " if "maxItems" in node else "list of "
        return most + words(schema, node["items"])
    limits = [f"{sign} {node[key]}" for key, sign in _LIMITS.items() if key in node]
    name = {"integer": "whole number", "string": "text", "boolean": "true or false", None: "any"}
    return " ".join([name.get(kind, str(kind)), ", ".join(limits)]).strip()


_LIMITS = {
    "minimum": ">=",
    "exclusiveMinimum": ">",
    "maximum": "<=",
    "exclusiveMaximum": "<",
}


def entries(schema: Node, name: str, prefix: str = "") -> Iterator[tuple[str, str, str]]:
    """Name, type and meaning of every entry of a definition and of those within it."""
    for key, node in sorted_entries(schema, name):
        path = f"{prefix}{key}"
        yield path, words(schema, node), node.get("description", "")
        items = node.get("items", {})
        inner = node.get("$ref") or items.get("$ref")
        if inner:
            yield from entries(schema, inner.rpartition("/")[2], f"{path}{'[]' if items else ''}.")


def sorted_entries(schema: Node, name: str) -> Iterator[tuple[str, Node]]:
    """In the order of the types, where the schema has that of the alphabet."""
    from smoothcert.engine.log import manifest_schema

    for key in getattr(manifest_schema, name).__annotations__:
        yield key, schema["$defs"][name]["properties"][key]


_INTRODUCTION = f"""# The manifest

`OUT.tsv.json` beside a log says what the log certifies. Every command that reads it (a run that is
resumed, `merge`, `audit`, `analyze`, `doctor`) reads it in one way: a regular file of at most
{MOST_BYTES >> 20} MiB of UTF-8, in it a JSON object, of at most {MOST_VALUES:,} values
and {DEEPEST} objects within each other, of no entry twice, of whole numbers of 64 bits and of
finite numbers. The entries below have the types and ranges given here; anything else is refused in
one line that names the entry, with exit code 2. Further entries may stand beside them: earlier and
later versions write other ones. A resumed run compares all of `run` with its own, and an audit
recomputes it.

[manifest.schema.json](manifest.schema.json) is the same as JSON Schema. "Needed by" says which
commands cannot work without an entry. `python tests/engine/log/test_manifest_schema.py` makes this
page of the types in engine/log/manifest_schema.py.

"""

_NEEDED = {
    Purpose.RESUME: "resume",
    Purpose.MERGE: "merge",
    Purpose.AUDIT: "audit",
}


def page() -> str:
    """docs/manifest.md."""
    schema = json_schema()
    rows = ["| entry | type | meaning | needed by |", "|---|---|---|---|"]
    for name, kind, meaning in entries(schema, "Manifest"):
        needed = [word for purpose, word in _NEEDED.items() if name in _whole(REQUIRED[purpose])]
        rows.append(f"| `{name}` | {kind} | {meaning} | {', '.join(needed)} |")
    return _INTRODUCTION + "\n".join(rows).replace("< 18446744073709551616", "< 2^64") + "\n"


def _whole(names: tuple[str, ...]) -> set[str]:
    """The names, and those of the objects that they are in."""
    return {name.rsplit(".", cut)[0] for name in names for cut in range(name.count(".") + 1)}


def text_of(schema: Node) -> str:
    return json.dumps(schema, indent=1) + "\n"


def test_the_schema_in_docs_is_that_of_the_types() -> None:
    assert SCHEMA.read_text(encoding="utf-8") == text_of(json_schema())


def test_the_page_in_docs_is_that_of_the_types() -> None:
    assert TABLE.read_text(encoding="utf-8") == page()


@pytest.mark.parametrize("path", GOLDEN, ids=[path.name for path in GOLDEN])
def test_logged_manifests_are_of_the_schema(path: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(json.loads(path.read_text(encoding="utf-8")))


def test_purposes_are_said_in_words() -> None:
    """In: has no run, which ... needs."""
    assert {each.value for each in Purpose} == {
        "an analysis", "a run that is resumed", "a merge", "an audit",
    }  # fmt: skip


@pytest.mark.parametrize("name", sorted({name for names in REQUIRED.values() for name in names}))
def test_the_schema_asks_for_what_a_command_needs(name: str) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    manifest = json.loads(GOLDEN[0].read_text(encoding="utf-8"))
    *parts, last = name.split(".")
    place = manifest
    for part in parts:
        place = place[part]
    del place[last]
    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))
    assert not validator.is_valid(manifest)


if __name__ == "__main__":
    SCHEMA.write_text(text_of(json_schema()), encoding="utf-8")
    TABLE.write_text(page(), encoding="utf-8")
