"""Why ONNX Runtime cannot load a file, in words that help whoever has the file."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from smoothcert.engine.base.errors import InputError, one_line, require
from smoothcert.engine.base.machine import version_of
from smoothcert.engine.models.kinds import Kind, kind_of, refusal_of

_NEWER = "upgrade onnxruntime or convert the model"
_OLDEST_OPSET = 7
"""The oldest that ONNX Runtime promises to run."""

# A source file's place and the function's signature, which stand before what is said.
_PLACE = re.compile(
    r"\S*\.(?:cc|h|cpp|cu)(?::\d+|, line \d+)\)?:?\s*"
    r"(?:(?:[\w:<>,&*\[\] ]|\(anonymous namespace\))+\([^)]*\)(?: const)?(?: \[with [^\]]*\])?\s+)?"
)
_MARKS = re.compile(
    r"\[ONNXRuntimeError\] : \d+ : \w+ : |Load model from .*? failed:|Fatal error: "
)


class UnloadableError(InputError):
    """ONNX Runtime cannot load a file; another runtime may."""


def refusal(path: Path, error: Exception) -> UnloadableError:
    """One line for whatever ONNX Runtime says of a model it cannot load."""
    kind = kind_of(path)
    if kind is not Kind.ONNX:
        return UnloadableError(f"{path} is no model that ONNX Runtime can run: {_told(path, kind)}")
    known = _known(path, str(error))
    if known:
        return UnloadableError(f"model {path} {known}")
    return UnloadableError(
        f"{path} is no model that ONNX Runtime can run ({plain(error)}): expected an ONNX file "
        "that it loads; export the model again"
    )


def _told(path: Path, kind: Kind) -> str:
    """What kinds.refusal_of says of the file, without the name."""
    return str(refusal_of(path, kind)).removeprefix(f"model {path} ")


def plain(error: object, most: int = 200) -> str:
    """What an error of ONNX Runtime says, without its own source files and functions."""
    return one_line(_PLACE.sub("", _MARKS.sub("", one_line(error, None))), most)


def _known(path: Path, text: str) -> str | None:
    """What of the model the runtime cannot do, where that is a thing with a name."""
    runtime = f"onnxruntime {version_of('onnxruntime')}"
    if found := re.search(r"IR version: (\d+), max supported IR version: (\d+)", text):
        return f"is of IR version {found[1]}; {runtime} reads up to {found[2]}: {_NEWER}"
    found = re.search(r"Opset (\d+) is under development.*domain (\S+) is till opset (\d+)", text)
    if found:
        of = "" if found[2] == "ai.onnx" else f" of {found[2]}"
        return f"is of opset {found[1]}{of}; {runtime} reads up to {found[3]}: {_NEWER}"
    if found := re.search(r"Fatal error: ([^\s:]*):(\w+)\(.*is not a registered function", text):
        return (
            f"uses the operator {found[2]} of {found[1] or 'ai.onnx'!r}, which {runtime} does not "
            "have: expected ONNX's own operators; export the model without it"
        )
    if found := re.search(r"No Op registered for (\w+) with domain_version of (\d+)", text):
        return (
            f"uses the operator {found[1]}, which opset {found[2]} does not have in {runtime}: "
            "upgrade onnxruntime, or export the model with ONNX's own operators"
        )
    if found := re.search(r"Could not find an implementation for (\w+)\((\d+)\)", text):
        return _no_kernel(path, found[1], runtime)
    if absent := missing_data(path):
        return absent
    return None


def _no_kernel(path: Path, operator: str, runtime: str) -> str:
    opset = opset_of(parsed(path))
    if opset is not None and opset < _OLDEST_OPSET:
        return (
            f"is of opset {opset}, whose {operator} {runtime} no longer runs: expected "
            f"{_OLDEST_OPSET} or newer; convert the model (onnx.version_converter)"
        )
    return (
        f"uses the operator {operator} on numbers for which {runtime} has no kernel: expected "
        "float32; export the model in it"
    )


def parsed(path: Path, *, weights: bool = False) -> Any:
    """The onnx.ModelProto of a file, with what it keeps in files beside it where `weights` says so;
    raises InputError where it is damaged."""
    onnx = require("onnx", "cpu", "reading an ONNX model")
    try:
        return onnx.load(str(path), load_external_data=weights)
    except Exception as error:  # the parser's errors share no public base class
        raise InputError(
            f"model {path} cannot be read as ONNX ({one_line(error, 100)}): expected a whole file; "
            "copy or download it again"
        ) from None


def opset_of(model: Any) -> int | None:
    """The version of ONNX's own operators that a model (onnx.ModelProto) is written in."""
    return next((e.version for e in model.opset_import if e.domain in ("", "ai.onnx")), None)


def missing_data(path: Path) -> str | None:
    """What is to be said of an ONNX file whose external data is not all there; None where it is."""
    for name in data_names(parsed(path)):
        if not (path.parent / name).is_file():
            return (
                f"keeps its weights in {name}, which is missing beside it: expected both; copy or "
                "download it too"
            )
    return None


def data_names(model: Any) -> list[str]:
    """The files, relative to its own, in which a model (onnx.ModelProto) keeps large tensors: in
    name order."""
    return sorted(
        {
            entry.value
            for part in (model.graph, *model.functions)
            for tensor in _tensors(part)
            for entry in tensor.external_data
            if entry.key == "location"
        }
    )


def _tensors(part: Any) -> Iterator[Any]:
    """Those of a graph or a function (which has no initializers), and of the graphs in it."""
    yield from getattr(part, "initializer", ())
    sparse = [*getattr(part, "sparse_initializer", ())]
    for node in part.node:
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)
            sparse += [attribute.sparse_tensor, *attribute.sparse_tensors]
            for graph in (attribute.g, *attribute.graphs):
                yield from _tensors(graph)
    for tensor in sparse:
        yield from (tensor.values, tensor.indices)
