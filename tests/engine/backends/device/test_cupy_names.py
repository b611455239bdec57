"""Every name of CuPy that the device runtime uses exists in the CuPy that is installed.

CuPy imports without a GPU; nothing here needs one.
"""

import ast
import importlib
import inspect
from pathlib import Path

import pytest

from smoothcert.engine.backends.device import cupy_runtime

ROOTS = {
    "cupy": "cupy",
    "self._cupy": "cupy",
    "runtime": "cupy.cuda.runtime",
    "native": "cupy.cuda.Stream",
    "stream.native": "cupy.cuda.Stream",
    "graph": "cupy.cuda.Graph",
}


def chains(source: str) -> set[str]:
    """Dotted names in a file: `runtime.memcpyAsync`."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute):
            found.add(ast.unparse(node))
    return found


def test_names_exist() -> None:
    pytest.importorskip("cupy", reason="needs CuPy, which imports without a GPU")
    text = Path(inspect.getfile(cupy_runtime)).read_text()
    checked = 0
    for chain in sorted(chains(text)):
        root = next((r for r in sorted(ROOTS, key=len)[::-1] if chain.startswith(f"{r}.")), None)
        if root is None or "(" in chain:
            continue
        module, *names = ROOTS[root].split(".")
        value = importlib.import_module(module)
        for name in [*names, *chain.removeprefix(f"{root}.").split(".")]:
            if name in ("ptr", "__version__"):
                break  # of instances
            assert hasattr(value, name), chain
            value = getattr(value, name)
            checked += 1
    assert checked > 20
