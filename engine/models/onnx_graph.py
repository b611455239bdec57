"""What an ONNX file takes and returns, as ONNX Runtime or the file itself tells."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from smoothcert.engine.base.errors import InputError, require
from smoothcert.engine.base.input_spec import Scalar
from smoothcert.engine.base.onnx_runtime import import_onnxruntime
from smoothcert.engine.models.unloadable import refusal

_SCALARS: dict[str, Scalar] = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(bfloat16)": "bfloat16",
}

_NUMPY_NAMES = {"float": "float32", "double": "float64"}


@dataclass(frozen=True)
class GraphValue:
    """An input or output: its type as ONNX Runtime writes it, such as `tensor(float)`, and its
    shape: numbers, names of open dimensions, or None for unnamed ones."""

    name: str
    type: str
    shape: list[int | str | None]

    def __str__(self) -> str:
        """`y [N, 5]`, and what it is made of where that is no float32."""
        sides = ", ".join("?" if side is None else _printable(str(side)) for side in self.shape)
        made_of = "" if self.type == "tensor(float)" else f"{self.made_of} "
        return f"{_printable(self.name)} {made_of}[{sides}]"

    @property
    def made_of(self) -> str:
        """Its numbers' type by numpy's name; what is no tensor, as ONNX Runtime writes it."""
        found = re.fullmatch(r"tensor\((\w+)\)", self.type)
        return _NUMPY_NAMES.get(found[1], found[1]) if found else self.type

    @property
    def scalar(self) -> Scalar | None:
        """What it is made of, if that is a float that networks here may take or return."""
        return _SCALARS.get(self.type)


def listed(values: Sequence[GraphValue], most: int = 6) -> str:
    """Inputs or outputs in one line, the first of them where they are many."""
    more = f"; and {len(values) - most} more" if len(values) > most else ""
    return "; ".join(map(str, values[:most])) + more


def _printable(name: str) -> str:
    return name if name.isprintable() else ascii(name)


@dataclass(frozen=True)
class Graph:
    """An ONNX file's inputs, outputs and metadata properties."""

    inputs: list[GraphValue]
    outputs: list[GraphValue]
    metadata: dict[str, str]


def load_onnxruntime() -> Any:
    """The onnxruntime module; raises InputError where it is not installed or damaged."""
    return import_onnxruntime("cpu", "running an ONNX model on the CPU")


def inspect_graph(path: Path) -> Graph:
    """What the model at `path` takes and returns.

    ONNX Runtime, which infers shapes, is asked first. Where it cannot run a model of a half
    precision (other runtimes can), the file's own declarations are taken. Raises InputError
    where neither describes it.
    """
    try:
        session = inspect_session(path)
    except InputError:
        graph = _declared(path)
        if graph is None or not any("float16" in value.type for value in graph.inputs):
            raise
        return graph
    return Graph(
        [GraphValue(v.name, v.type, list(v.shape)) for v in session.get_inputs()],
        [GraphValue(v.name, v.type, list(v.shape)) for v in session.get_outputs()],
        dict(session.get_modelmeta().custom_metadata_map),
    )


_DECLARED_TYPES = {1: "tensor(float)", 10: "tensor(float16)", 16: "tensor(bfloat16)"}


def _declared(path: Path) -> Graph | None:
    """What the file says of itself; None where it is no ONNX file."""
    onnx = require("onnx", "cpu", "reading an ONNX model")
    try:
        model = onnx.load(str(path), load_external_data=False)
    except Exception:  # the parser's errors share no public base class
        return None
    weights = {tensor.name for tensor in model.graph.initializer}

    def value(declared: Any) -> GraphValue:
        tensor = declared.type.tensor_type
        shape = [
            side.dim_value if side.HasField("dim_value") else side.dim_param or None
            for side in tensor.shape.dim
        ]
        kind = _DECLARED_TYPES.get(tensor.elem_type, f"element type {tensor.elem_type}")
        return GraphValue(declared.name, kind, shape)

    return Graph(
        [value(v) for v in model.graph.input if v.name not in weights],
        [value(v) for v in model.graph.output],
        {entry.key: entry.value for entry in model.metadata_props},
    )


def quiet_session(
    model: Path | bytes, *, threads: int, optimised: bool = True, weights_in: Path | None = None
) -> Any:
    """ONNX Runtime on a CPU, to ask a model now and then: it says nothing of its own on stderr.

    model       its file, or its content, whose large tensors are files of `weights_in`
    Raises what the runtime raises, whose exceptions share no public base class.
    """
    runtime = load_onnxruntime()
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4  # what is wrong is raised too
    if not optimised:
        options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
    if weights_in is not None:
        options.add_session_config_entry(
            "session.model_external_initializers_file_folder_path", str(weights_in)
        )
    content = model if isinstance(model, bytes) else str(model)
    return runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def inspect_session(path: Path) -> Any:
    """A session that only answers questions about the model: not optimised, one thread."""
    try:
        return quiet_session(path, threads=1, optimised=False)
    except Exception as error:
        raise refusal(path, error) from None
