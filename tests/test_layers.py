"""The rooms of the house and what each may import: docs/architecture.md as a check."""

import ast
from collections import Counter
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parent.parent
FOLDERS = ("engine", "export", "cli", "analysis", "training", "cupy_kernels", "api")

MAY_IMPORT = {
    "cupy_kernels": "",
    "engine": "api.smooth",  # the alias alone
    "engine.base": "",
    "engine.noise": "engine.base",
    "engine.statistics": "engine.base engine.noise.streams",
    "engine.sources": "engine.base",
    "engine.models": "engine.base",
    "engine.backends.base": "engine.base",
    "engine.backends.host": "engine.base engine.noise engine.models engine.backends.base",
    "engine.backends.torch_graph": "engine.base engine.models",
    "engine.backends.device": "engine.base engine.noise engine.models engine.backends.base"
    " engine.backends.torch_graph cupy_kernels",
    "engine.backends.tensorrt": "engine.base engine.models engine.backends.device",
    "engine.backends": "engine.base engine.noise engine.models",
    "engine.log": "engine.base engine.statistics engine.sources",
    "engine.run": "engine.base engine.noise engine.statistics engine.sources engine.models"
    " engine.log engine.backends",
    "engine.bench": "engine.base engine.noise engine.statistics engine.sources engine.models"
    " engine.backends engine.run",
    "export": "engine.base engine.noise engine.statistics engine.sources engine.models"
    " engine.backends api.exporting",  # the alias alone
    "analysis": "engine.base engine.noise engine.sources engine.log",
    "training": "engine.base engine.noise engine.sources engine.log export",
    "api": "engine export analysis",
    "cli": "api engine export analysis training",
}
"""What the files of a room may import of ours, beside the room itself."""


def modules() -> dict[str, Path]:
    """Every file of ours by its dotted name, without the import root."""
    files = (file for folder in FOLDERS for file in (ROOT / folder).rglob("*.py"))
    return {
        ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): file
        for file in files
    }


def imports(file: Path, known: dict[str, Path]) -> Iterator[tuple[int, str]]:
    """Line and module of every import of ours, lazy ones and those for types included."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in found:
            root, _, name = name.partition(".")
            if root != "smoothcert":
                continue
            if name.partition(".")[0] not in FOLDERS:  # the package itself is api/
                name = f"api.{name}"
            while name and name not in known:  # `from module import function`
                name = name.rpartition(".")[0]
            if name:
                yield node.lineno, name


def inside(module: str, room: str) -> bool:
    return f"{module}.".startswith(f"{room}.")


def room_of(module: str) -> str:
    return max((room for room in MAY_IMPORT if inside(module, room)), key=len)


def test_every_import_is_allowed() -> None:
    known, wrong = modules(), []
    for module, file in known.items():
        room = room_of(module)
        name = file.relative_to(ROOT).as_posix()
        for line, target in imports(file, known):
            others = MAY_IMPORT[room].split()
            own = [] if room == "engine" else [room]  # nothing lives loose in engine/
            if any(inside(target, other) for other in (*own, *others)):
                continue
            allowed = MAY_IMPORT[room] or "nothing of ours"
            wrong.append(f"{name}:{line} imports {target}: {room} may import {allowed}")
    assert not wrong, "\n".join(wrong)


def test_no_file_imports_itself_by_a_detour() -> None:
    known = modules()
    graph = {
        module: {target for _, target in imports(file, known) if target != module}
        for module, file in known.items()
    }
    # For people; no file of ours takes them from there.
    graph["engine"].discard("api.smooth")
    graph["export"].discard("api.exporting")
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        raise AssertionError(" -> ".join(error.args[1])) from None


def test_rooms_have_empty_doors() -> None:
    """A package's __init__ runs before its files: what it imports, every file of the room needs."""
    known, doors = modules(), (
        "engine", "engine.sources", "engine.sources.objects", "api", "export",
        "export.architectures",
    )  # fmt: skip
    for module, file in known.items():
        if file.name == "__init__.py" and module not in doors:
            assert not list(imports(file, known)), f"{file}: expected a docstring alone"


def test_no_room_is_crowded() -> None:
    rooms = Counter(module.rpartition(".")[0] for module in modules())
    assert {room: files for room, files in rooms.items() if files > 20} == {}
