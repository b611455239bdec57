"""ONNX graphs that become parts of another: read whole, of one opset, with names of their own."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from smoothcert.engine.base.errors import InputError, one_line, require
from smoothcert.engine.models.row_independence.hazards import subgraphs
from smoothcert.engine.models.unloadable import opset_of, parsed
from smoothcert.export.foreign.tensor_names import rename_tensors

OPSET = 13
"""The lowest that a part has: from here on what stands between the parts is written alike."""


def read(path: Path, what: str) -> Any:
    """The onnx.ModelProto in a file, its large tensors too, with no functions of its own.

    Raises InputError where it cannot be read; `what` names it.
    """
    model = parsed(path, weights=True)
    try:
        if model.functions:
            onnx = require("onnx", "export", "exporting to ONNX")
            model = onnx.inliner.inline_local_functions(model)
    except Exception as error:  # the inliner's errors share no public base class
        raise InputError(
            f"{what} {path} has functions of its own that cannot be resolved "
            f"({one_line(error)}): expected a graph of operators alone; export it again"
        ) from None
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in weights]
    del model.graph.input[:]  # before IR version 4 weights stand among the inputs
    model.graph.input.extend(inputs)
    model.ir_version = max(model.ir_version, 4)
    return model


def at_least(model: Any, what: str, opset: int = OPSET) -> Any:
    """The model, converted to an opset where its own is older; raises InputError where it cannot
    be."""
    onnx = require("onnx", "export", "exporting to ONNX")
    own = opset_of(model) or OPSET
    if own >= opset:
        return model
    try:
        return onnx.version_converter.convert_version(model, opset)
    except Exception as error:  # the converter's errors share no public base class
        raise InputError(
            f"{what} is of opset {own} and cannot be converted to {opset} "
            f"({one_line(error)}): expected both networks of one opset; export it again"
        ) from None


def renamed(graph: Any, name: Callable[[str], str]) -> None:
    """Give every value and node of a graph, and of those inside its nodes, the name `name(old)`."""
    rename_tensors(graph, name)
    _rename_nodes(graph, name)


def _rename_nodes(graph: Any, name: Callable[[str], str]) -> None:
    for node in graph.node:
        if node.name:
            node.name = name(node.name)
        for inner in subgraphs(node):
            _rename_nodes(inner, name)
    graph.ClearField("value_info")
    graph.ClearField("quantization_annotation")


def anonymous(model: Any) -> None:
    """Remove what exporters note about their own process, such as stack traces with local paths."""
    for part in (model.graph, *model.graph.node, *model.graph.initializer):
        part.ClearField("doc_string")
        part.ClearField("metadata_props")
