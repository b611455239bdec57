"""pytest in forks of one process that has imported everything but smoothcert.

A fork imports smoothcert from a private copy of the repository, one module of it changed, and runs
the tests given: about a second, where a new process would take five.
"""

import ast
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import json
import os
import resource
import shutil
import subprocess
import sys
import threading
import types
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

FOLDERS = ("analysis", "cli", "cupy_kernels", "engine", "export", "training")
_WARM = (
    "numpy", "scipy.special", "scipy.stats", "numba", "mpmath", "hypothesis", "onnx", "onnxruntime",
    "PIL.Image", "click", "msgspec", "rich.progress", "platformdirs",
    "selenium.webdriver.chrome.webdriver",
)  # fmt: skip
_MEMORY = 8 << 30


def snapshot(repository: Path, folder: Path) -> None:
    """Copy what git knows or would know of the repository, as it now is, with the package linked
    together in `folder`/links."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=repository, capture_output=True, check=True).stdout
    for name in filter(None, names.decode().split("\0")):
        if (repository / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(repository / name, folder / name)
    package = folder / "links" / "smoothcert"
    package.mkdir(parents=True)
    for entry in (folder / "api").iterdir():
        (package / entry.name).symlink_to(entry)
    for name in FOLDERS:
        (package / name).symlink_to(folder / name)


def warm_up(folder: Path) -> None:
    """Make this process one whose forks find smoothcert in a snapshot."""
    os.chdir(folder)
    os.environ |= {
        "PYTHONPATH": str(folder / "links"),
        "NUMBA_CACHE_DIR": str(folder / "numba"),
        "OPENBLAS_NUM_THREADS": "1",
    }
    sys.path.insert(0, str(folder / "links"))
    for name in _WARM:
        importlib.import_module(name)
    assert not any(name.partition(".")[0] == "smoothcert" for name in sys.modules)


@dataclass(frozen=True)
class Change:
    """A module of smoothcert by its file's path in the repository, and what is run in its place.

    `compiled` where numba's caches would hide the change: it is then compiled anew.
    """

    file: str
    tree: ast.Module
    compiled: bool


class _Changed(importlib.abc.MetaPathFinder):
    def __init__(self, change: Change) -> None:
        self._change = change
        inner = change.file.removeprefix("api/").removesuffix(".py").removesuffix("/__init__")
        self._name = "smoothcert." + inner.replace("/", ".")

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name != self._name:
            return None
        file = str(Path("links", "smoothcert", *name.split(".")[1:]).absolute()) + ".py"
        return importlib.util.spec_from_file_location(name, file, loader=_Loader(name, file, self))

    def code(self, file: str) -> types.CodeType:
        return compile(self._change.tree, file, "exec")


class _Loader(importlib.machinery.SourceFileLoader):
    def __init__(self, name: str, file: str, changed: _Changed) -> None:
        super().__init__(name, file)
        self._changed = changed

    def get_code(self, fullname: str) -> types.CodeType:
        return self._changed.code(self.path)


@dataclass
class Record:
    """What one test did: its CPU seconds, whether it failed, and the functions it called, as file
    in the repository and first line."""

    seconds: float = 0.0
    failed: bool = False
    calls: set[tuple[str, int]] = field(default_factory=set)


class _Recorder:
    """Orders the tests, and says which failed first; `records` what each does, where asked."""

    def __init__(self, order: Sequence[str], watched: Iterable[str]) -> None:
        self._rank = {name: rank for rank, name in enumerate(order)}
        self._files = {str(Path(name).absolute()): name for name in watched}
        self.failed = ""
        self.records: dict[str, Record] = {}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        if self._rank:
            items[:] = [item for item in items if item.nodeid in self._rank]
            items.sort(key=lambda item: self._rank[item.nodeid])

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Any:
        record = self.records.setdefault(item.nodeid, Record())
        real: dict[str, str | None] = {}

        def called(frame: types.FrameType, event: str, argument: object) -> None:
            name = frame.f_code.co_filename
            if name not in real:
                real[name] = self._files.get(os.path.realpath(name))
            if (file := real[name]) is not None:
                record.calls.add((file, frame.f_code.co_firstlineno))

        if self._files:
            threading.settrace(called)
            sys.settrace(called)
        before = _cpu()
        yield
        record.seconds = _cpu() - before
        sys.settrace(None)
        threading.settrace(None)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.records[report.nodeid].failed = True
            self.failed = self.failed or report.nodeid


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def start(
    result: Path,
    tests: Sequence[str],
    order: Sequence[str] = (),
    change: Change | None = None,
    watched: Sequence[str] = (),
    cpu_seconds: int = 3600,
) -> int:
    """Fork pytest on `tests`, files or folders; returns its process id, which leads a group.

    result       a path: .json is written with `exit`, `failed` (the first test that did) and, with
                 `watched` files, `records` of each test; .txt gets what pytest says
    order        ids of the tests to be run, in this order (none: all); it stops at the first that
                 fails if given
    """
    process = os.fork()
    if process:
        return process
    try:
        os.setpgid(0, 0)
        with result.with_suffix(".txt").open("w") as said:
            os.dup2(said.fileno(), 1)
            os.dup2(said.fileno(), 2)
        _run(result, tests, order, change, watched, cpu_seconds)
    finally:
        os._exit(0)


def _run(
    result: Path,
    tests: Sequence[str],
    order: Sequence[str],
    change: Change | None,
    watched: Sequence[str],
    cpu_seconds: int,
) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds + 5))
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    if change is not None:
        sys.meta_path.insert(0, _Changed(change))
        if change.compiled:
            import numba

            numba.config.CACHE_DIR = str(  # type: ignore[attr-defined]
                result.with_suffix(".numba")
            )
    recorder = _Recorder(order, watched)
    base = result.with_suffix(".tmp")
    options = ["-q", "-p", "no:cacheprovider", f"--basetemp={base}", "--tb=line"]
    found = pytest.main([*options, *(["-x"] if order else []), *tests], [recorder])
    sys.stdout.flush()
    said: dict[str, Any] = {"exit": int(found), "failed": recorder.failed}
    if watched:
        said["records"] = {
            name: [record.seconds, record.failed, sorted(record.calls)]
            for name, record in recorder.records.items()
        }
    result.with_suffix(".json").write_text(json.dumps(said))
    shutil.rmtree(base, ignore_errors=True)
    shutil.rmtree(result.with_suffix(".numba"), ignore_errors=True)
