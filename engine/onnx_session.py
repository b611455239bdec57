"""ONNX Runtime sessions that only answer questions, and its refusals in one line."""

from pathlib import Path
from typing import Any

from smoothcert.engine.errors import InputError
from smoothcert.engine.optional import require


def load_onnxruntime() -> Any:
    """The onnxruntime module; raises MissingPartError where it is not installed."""
    return require("onnxruntime", "cpu", "running an ONNX model on the CPU")


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
    reason = " ".join(str(error).split())[:300]
    return InputError(
        f"{path} is no model that ONNX Runtime can run ({reason}): expected an ONNX file; "
        "`smoothcert export` writes one from a checkpoint"
    )
