"""What a builder must know of an ONNX file before its parser sees it; runs without ONNX Runtime."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from smoothcert.engine.base.errors import InputError, one_line, require
from smoothcert.engine.base.files import file_digest
from smoothcert.engine.models.metadata import metadata_of
from smoothcert.engine.models.model import check_file, external_data


@dataclass(frozen=True)
class OnnxFacts:
    """An ONNX file: its bytes, its digest (external data included), what `export` recorded."""

    path: Path
    content: bytes
    sha256: str
    metadata: dict[str, Any]


def read_onnx(path: Path) -> OnnxFacts:
    """Read an ONNX file to be built; raises InputError for what no TensorRT builds faithfully."""
    onnx = require("onnx", "tensorrt", "building an engine")
    check_file(path, "model")
    content = path.read_bytes()
    try:
        model = onnx.load_from_string(content)
    except Exception as error:  # protobuf's errors share no public base class
        reason = one_line(error)
        raise InputError(
            f"{path} is no ONNX model ({reason}): expected one; `smoothcert export` writes one "
            "from a checkpoint"
        ) from None
    if not model.graph.node:
        raise InputError(f"{path} is an ONNX model without nodes: expected a classifier")
    _refuse_uint8(onnx, path, model)
    beside = external_data(path)
    digest = file_digest(path, *beside) if beside else hashlib.sha256(content).hexdigest()
    properties = {entry.key: entry.value for entry in model.metadata_props}
    return OnnxFacts(path, content, digest, metadata_of(path, properties))


def _refuse_uint8(onnx: Any, path: Path, model: Any) -> None:
    """TensorRT reads unsigned quantisation with zero point 0 as signed: 128 .. 255 would saturate.

    It warns, and builds another network; a zero point other than 0 it refuses by itself.
    """
    types = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    for node in model.graph.node:
        for attribute in node.attribute:
            if node.op_type == "Constant" and attribute.name == "value":
                types[node.output[0]] = attribute.t.data_type
    unsigned = onnx.TensorProto.UINT8
    for node in model.graph.node:
        if node.op_type not in ("QuantizeLinear", "DequantizeLinear"):
            continue
        if len(node.input) > 2 and node.input[2]:
            quantised = types.get(node.input[2])
        elif node.op_type == "QuantizeLinear":
            # What the ONNX operator yields without a zero point.
            given = [a.i for a in node.attribute if a.name == "output_dtype" and a.i]
            quantised = given[0] if given else unsigned
        else:
            continue
        if quantised == unsigned:
            raise InputError(
                f"model {path}, node {node.name or node.output[0]!r} ({node.op_type}): it "
                "quantises to uint8, which TensorRT would read as int8: quantise to int8 with zero "
                "point 0, as `smoothcert export --precision int8 --for gpu` does"
            )
