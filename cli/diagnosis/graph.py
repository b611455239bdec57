"""What an ONNX file says of itself, before anything is made of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from smoothcert.cli.diagnosis.entry import Entry, bytes_text, some
from smoothcert.engine.base.errors import require
from smoothcert.engine.base.input_spec import METADATA_KEY
from smoothcert.engine.base.machine import version_of

Side = int | str | None


@dataclass(frozen=True)
class Value:
    """An input or output: the type of its elements as numpy writes it, and its sides (numbers,
    names of open ones, or None); no sides where the file does not say."""

    name: str
    type: str
    shape: tuple[Side, ...] | None

    def __str__(self) -> str:
        """`x float32 [N, 3, 8, 8]`."""
        if self.shape is None:
            return f"{self.name} {self.type} of a shape that is not said"
        sides = ", ".join("?" if side is None else str(side) for side in self.shape)
        return f"{self.name} {self.type} [{sides}]"


@dataclass(frozen=True)
class OnnxFacts:
    """An ONNX file's declarations, in the order of the file.

    weights  of every tensor that is stored, also in nodes (Constant) and in the graphs of nodes:
             the type of its elements, how many, their bytes
    absent   files of external data that are not beside it
    last_operator  of the node that the first output comes from; "" where there is none
    """

    producer: str
    ir_version: int
    opsets: dict[str, int]
    nodes: int
    inputs: list[Value]
    outputs: list[Value]
    weights: list[tuple[str, int, int]]
    absent: list[str]
    last_operator: str
    metadata: dict[str, str]

    @property
    def recorded(self) -> bool:
        """Whether `smoothcert export` wrote what its input is."""
        return METADATA_KEY in self.metadata

    @property
    def whole_pixels(self) -> bool:
        """Whether its input is made of whole numbers, which pixels are as they are."""
        return bool(self.inputs) and "int" in self.inputs[0].type

    def entries(self) -> list[Entry]:
        """The lines about it."""
        opsets = ", ".join(
            f"opset {version}" + (f" of {domain}" if domain else "")
            for domain, version in self.opsets.items()
        )
        count = sum(count for _, count, _ in self.weights)
        size = sum(size for *_, size in self.weights)
        kinds = sorted({kind for kind, *_ in self.weights})
        found = [
            Entry(
                "written by",
                self.producer or "not said",
                f"{opsets or 'no opset'}, IR version {self.ir_version}; onnxruntime here is "
                f"{version_of('onnxruntime', 'onnxruntime-gpu') or 'missing'}",
            ),
            Entry(
                "parameters", f"{count:,}", f"{bytes_text(size)} of {some(kinds) or 'nothing'}, "
                f"{self.nodes} nodes",
            ),
        ]  # fmt: skip
        found += [Entry("input", value.type, str(value)) for value in self.inputs]
        found += [Entry("output", value.type, str(value)) for value in self.outputs]
        found += [
            Entry("weights", "missing", f"the file {name} with some of them is not beside it")
            for name in self.absent
        ]
        return found


def facts_of(path: Path) -> OnnxFacts | None:
    """The declarations of an ONNX file; None where it cannot be parsed.

    Raises MissingPartError without the package onnx.
    """
    onnx = require("onnx", "cpu", "reading an ONNX model")
    try:
        model = onnx.load(str(path), load_external_data=False)
    except Exception:  # the parser's errors share no public base class
        return None
    graph = model.graph
    stored = {tensor.name for tensor in graph.initializer}
    tensors = [tensor for part in (graph, *model.functions) for tensor in _tensors(part)]
    external = {
        entry.value
        for tensor in tensors
        for entry in tensor.external_data
        if entry.key == "location"
    }
    return OnnxFacts(
        producer=f"{model.producer_name} {model.producer_version}".strip(),
        ir_version=model.ir_version,
        opsets={entry.domain: entry.version for entry in model.opset_import},
        nodes=len(graph.node),
        inputs=[_value(onnx, value) for value in graph.input if value.name not in stored],
        outputs=[_value(onnx, value) for value in graph.output],
        weights=[_weight(onnx, tensor) for tensor in tensors],
        absent=sorted(name for name in external if not (path.parent / name).is_file()),
        last_operator=_last_operator(graph),
        metadata={entry.key: entry.value for entry in model.metadata_props},
    )


def _tensors(part: Any) -> Iterator[Any]:
    """The tensors that a graph or a function stores, and the graphs of its nodes."""
    yield from getattr(part, "initializer", ())
    for node in part.node:
        for attribute in node.attribute:
            if node.op_type == "Constant" and attribute.HasField("t"):
                yield attribute.t
            for inner in (*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])):
                yield from _tensors(inner)


def _last_operator(graph: Any) -> str:
    outputs = [value.name for value in graph.output][:1]
    for node in graph.node:
        if set(outputs) & set(node.output):
            return str(node.op_type)
    return ""


def _value(onnx: Any, value: Any) -> Value:
    tensor = value.type.tensor_type
    shape = None
    if tensor.HasField("shape"):
        shape = tuple(
            side.dim_value if side.HasField("dim_value") else side.dim_param or None
            for side in tensor.shape.dim
        )
    return Value(value.name, _type_name(onnx, tensor.elem_type), shape)


def _weight(onnx: Any, tensor: Any) -> tuple[str, int, int]:
    count = 1
    for side in tensor.dims:
        count *= side
    kind = _type_name(onnx, tensor.data_type)
    try:
        each = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
    except (KeyError, TypeError, ValueError):
        each = 0
    return kind, count, count * each


def _type_name(onnx: Any, number: int) -> str:
    try:
        return str(onnx.helper.tensor_dtype_to_np_dtype(number))
    except (KeyError, TypeError, ValueError):
        return f"element type {number}"
