"""The door: an ONNX classifier's file as a torch graph, or a refusal."""

from pathlib import Path
from typing import Any

from torch import fx

from smoothcert.engine.backends.torch_graph.onnx_reader.graph import GraphWriter
from smoothcert.engine.backends.torch_graph.onnx_reader.importer import Importer
from smoothcert.engine.backends.torch_graph.onnx_reader.operators.table import OPERATORS
from smoothcert.engine.backends.torch_graph.onnx_reader.refusal import UnsupportedGraphError
from smoothcert.engine.backends.torch_graph.onnx_reader.rewrites.order import rewrite
from smoothcert.engine.backends.torch_graph.onnx_reader.values import dtype_named
from smoothcert.engine.base.errors import one_line, require
from smoothcert.engine.models.model import check_file

__all__ = ["OPSETS", "UnsupportedGraphError", "read_module"]

OPSETS = range(9, 26)
"""The versions of ONNX's operators whose meaning the table of operators keeps."""

_DEFAULT_DOMAIN = ("", "ai.onnx")


def read_module(path: Path, batch: int) -> fx.GraphModule:
    """The classifier of an ONNX file as a torch graph for inputs [batch, C, H, W].

    It is in eval mode, on the CPU, in the file's own number types, and requires no gradients. Of
    several outputs it returns the first, the logits. Raises UnsupportedGraphError for anything
    that cannot be brought over faithfully.
    """
    onnx = require("onnx", "cpu", "reading an ONNX model")
    check_file(path, "model")
    try:
        return _graph_of(_loaded(onnx, path), batch)
    except UnsupportedGraphError as error:
        raise UnsupportedGraphError(f"model {path} cannot become a torch graph: {error}") from None


def _loaded(onnx: Any, path: Path) -> Any:
    """The file's model, its functions written out at their calls."""
    try:
        model = onnx.load(str(path))
        if not model.functions:
            return model
        from onnx import inliner

        return inliner.inline_local_functions(model)
    except Exception as error:  # the parser's errors share no public base class
        raise UnsupportedGraphError(f"it cannot be read ({one_line(error)})") from None


def _graph_of(model: Any, batch: int) -> fx.GraphModule:
    opset = _opset(model)
    initialized = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in initialized]
    if len(inputs) != 1:
        names = ", ".join(value.name for value in inputs)
        raise UnsupportedGraphError(f"{len(inputs)} inputs ({names}): expected one, images")
    if not model.graph.output:
        raise UnsupportedGraphError("it has no outputs: expected logits")
    writer = GraphWriter()
    kind = inputs[0].type.tensor_type
    try:
        dtype = dtype_named(kind.elem_type)
    except ValueError as error:
        raise UnsupportedGraphError(f"input {inputs[0].name!r}: {error}") from None
    images = writer.placeholder(_input_shape(inputs[0].name, kind, batch), dtype)
    importer = Importer(writer, OPERATORS, opset)
    logits = importer.walk(model.graph, {inputs[0].name: images})[0]
    writer.finish(logits)
    rewrite(writer)
    return writer.graph_module()


def _opset(model: Any) -> int:
    versions = {entry.version for entry in model.opset_import if entry.domain in _DEFAULT_DOMAIN}
    if len(versions) != 1 or not versions <= set(OPSETS):
        found = ", ".join(map(str, sorted(versions))) or "none"
        raise UnsupportedGraphError(
            f"opset {found}: expected one of {OPSETS[0]} to {OPSETS[-1]}; export it again"
        )
    return int(versions.pop())


def _input_shape(name: str, kind: Any, batch: int) -> tuple[int, ...]:
    """The declared shape with the batch in its first place."""
    sides = [side.dim_value for side in kind.shape.dim]
    if not sides or min(sides[1:], default=1) < 1:
        raise UnsupportedGraphError(
            f"input {name!r} leaves its shape {sides} open: expected fixed C, H, W"
        )
    if sides[0] not in (0, batch):
        raise UnsupportedGraphError(f"the batch is fixed at {sides[0]}, not {batch}")
    return (batch, *sides[1:])
