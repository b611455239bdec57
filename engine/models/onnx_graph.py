"""What an ONNX file takes and returns, as ONNX Runtime or the file itself tells; and refusals."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from smoothcert.engine.base.errors import InputError, one_line, require
from smoothcert.engine.base.input_spec import Scalar

_SCALARS: dict[str, Scalar] = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(bfloat16)": "bfloat16",
}


@dataclass(frozen=True)
class GraphValue:
    """An input or output: its type as ONNX Runtime writes it, such as `tensor(float)`, and its
    shape: numbers, names of open dimensions, or None for unnamed ones."""

    name: str
    type: str
    shape: list[int | str | None]

    @property
    def scalar(self) -> Scalar | None:
        """What it is made of, if that is a float that networks here may take or return."""
        return _SCALARS.get(self.type)


@dataclass(frozen=True)
class Graph:
    """An ONNX file's inputs, outputs and metadata properties."""

    inputs: list[GraphValue]
    outputs: list[GraphValue]
    metadata: dict[str, str]


def load_onnxruntime() -> Any:
    """The onnxruntime module; raises MissingPartError where it is not installed."""
    return require("onnxruntime", "cpu", "running an ONNX model on the CPU")


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


def inspect_session(path: Path) -> Any:
    """A session that only answers questions about the model: not optimised, one thread."""
    runtime = load_onnxruntime()
    options = runtime.SessionOptions()
    options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise refusal(path, error) from None


def refusal(path: Path, error: Exception) -> InputError:
    """One line for whatever ONNX Runtime says of a model it cannot load."""
    reason = one_line(error, 300)
    return InputError(
        f"{path} is no model that ONNX Runtime can run ({reason}): expected an ONNX file; "
        "`smoothcert export` writes one from a checkpoint"
    )
