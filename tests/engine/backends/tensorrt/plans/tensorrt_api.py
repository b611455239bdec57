"""What source files use of TensorRT's Python API, and what a version of its bindings has of it."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

Use = tuple[str, str]
"""A name, "Class.member", and what is done with it: "read", "set", or "call 2 named,others"."""

ENTRY_POINTS = {
    "libnvinfer.so": (
        "createInferBuilder_INTERNAL",
        "createInferRefitter_INTERNAL",
        "createInferRuntime_INTERNAL",
        "getBuilderPluginRegistry",
        "getPluginRegistry",
    ),
    "libnvinfer_plugin.so": ("initLibNvInferPlugins",),
    "libnvonnxparser.so": (
        "createNvOnnxParser_INTERNAL",
        "createNvOnnxParserRefitter_INTERNAL",
        "getNvOnnxParserVersion",
    ),
}


def chain(node: ast.AST) -> list[str]:
    """["module", "trt", "BuilderFlag", "TF32"] for that expression; empty for another kind."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.insert(0, node.attr)
        node = node.value
    return [node.id, *parts] if isinstance(node, ast.Name) else []


def uses(file: Path, receivers: dict[str, str]) -> set[Use]:
    """Everything of TensorRT that a source file touches.

    receivers  what a variable is: {"builder": "Builder"}
    """
    tree = ast.parse(file.read_text(encoding="utf-8"))
    called = {id(node.func): node for node in ast.walk(tree) if isinstance(node, ast.Call)}
    found = set()
    for node in ast.walk(tree):
        name = _name(node, receivers)
        if not name:
            continue
        assert isinstance(node, ast.Attribute)
        how = "set" if isinstance(node.ctx, ast.Store) else "read"
        if id(node) in called:
            call = called[id(node)]
            given = len(call.args) - (node.attr == "__init__")  # then self is among them
            how = f"call {given} {','.join(str(word.arg) for word in call.keywords)}"
        found.add((name, how))
    return found


def _name(node: ast.AST, receivers: dict[str, str]) -> str:
    parts = [part for part in chain(node) if part not in ("self", "__init__", "__members__")]
    if "trt" in parts:
        rest = parts[parts.index("trt") + 1 :]
        return ".".join(part for part in rest if not part.startswith("__"))
    if len(parts) > 1 and parts[0].lstrip("_") in receivers:
        return f"{receivers[parts[0].lstrip('_')]}.{parts[1]}"
    return ""


_PROBE = """
import ctypes, json, re, sys
module, folder, libraries, uses = json.load(sys.stdin)
for library in libraries:
    ctypes.CDLL(library, ctypes.RTLD_GLOBAL)
if folder:
    sys.path.insert(0, folder)
api = __import__(module)

def parameters(text):
    # Split at the commas of the outermost level.
    depth, parts = 0, [""]
    for letter in text:
        depth += (letter in "([<") - (letter in ")]>")
        if letter == "," and not depth:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts if part.strip()]

def fits(value, given, words):
    function = value.__init__ if isinstance(value, type) else value
    form = r"^(?:\\d+\\. )?\\w+\\((?!\\*args)(.*)\\) -> "
    for signature in re.findall(form, function.__doc__ or "", re.M):
        wanted = [p for p in parameters(signature) if not p.startswith("self")]
        names = [p.partition(":")[0] for p in wanted]
        needed = sum(" = " not in p for p in wanted)
        if needed <= given + len(words) <= len(wanted) and set(words) <= set(names[given:]):
            return True
    return False

wrong = []
for name, how in uses:
    value = api
    for part in name.split("."):
        value = getattr(value, part, None)
    if value is None:
        wrong.append(name)
    elif how == "set" and getattr(value, "fset", None) is None:
        wrong.append(f"{name} cannot be set")
    elif how.startswith("call"):
        _, given, words = how.split(" ")
        if not fits(value, int(given), [word for word in words.split(",") if word]):
            wrong.append(f"{name} does not take {given} {words}".strip())
print(json.dumps([api.__version__, wrong]))
"""


def misfits(
    module: str, used: set[Use], libraries: list[str], folder: Path | None = None
) -> tuple[str, list[str]]:
    """The version of a module, and what is used of it that it does not have so.

    libraries  to be loaded first
    folder     where the module lies, if not in this environment
    """
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _PROBE],
        input=json.dumps([module, str(folder or ""), libraries, sorted(used)]),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    version, wrong = json.loads(done.stdout)
    return version, wrong


def empty_libraries(compiler: str, folder: Path, major: int) -> Iterator[str]:
    """Libraries with TensorRT's entry points and nothing behind them, which its bindings load."""
    for stem, functions in ENTRY_POINTS.items():
        library = f"{stem}.{major}"
        source = folder / f"{library}.c"
        source.write_text("".join(f"void *{name}(void) {{ return 0; }}\n" for name in functions))
        flags = ["-shared", "-fPIC", f"-Wl,-soname,{library}"]
        subprocess.run([compiler, *flags, "-o", folder / library, source], check=True)
        yield str(folder / library)
