"""Large matrix products and convolutions as networks: what a processor can do at most is sought
among them."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from smoothcert.engine.base.errors import require
from smoothcert.engine.base.input_spec import METADATA_KEY, InputSpec

_ACTIVATION_SCALE = 0.02
# Two products of 8-bit activations and 7-bit weights stay within the 16 bits that processors
# without VNNI add them up in.
_WEIGHT_LEVELS, _DEVIATIONS = 63, 4


@dataclass(frozen=True)
class Shape:
    """A chain of `layers` alike, with ReLU between, on `rows` rows.

    kernel  0: matrix products [rows, width] x [width, width]; else convolutions of width to width
            channels with such a kernel, on squares of `side`, padded to stay so
    """

    rows: int
    width: int
    layers: int
    kernel: int = 0
    side: int = 1

    @property
    def title(self) -> str:
        """In words, its layers left out."""
        if not self.kernel:
            return f"product {self.rows}x{self.width} by {self.width}x{self.width}"
        kernel, side = f"{self.kernel}x{self.kernel}", f"{self.side}x{self.side}"
        return f"{kernel} convolution of {self.rows}x{self.width}x{side}"

    @property
    def input(self) -> tuple[int, int, int]:
        """Of one row: channels, height, width."""
        return (self.width, self.side, self.side) if self.kernel else (1, 1, self.width)


SHAPES = (
    Shape(512, 2048, 1),
    Shape(1024, 1024, 2),
    Shape(2048, 512, 2),
    Shape(16, 64, 2, 3, 32),
    Shape(16, 128, 2, 3, 16),
    Shape(8, 256, 2, 3, 14),
    Shape(8, 512, 2, 3, 7),
    Shape(32, 256, 2, 1, 14),
)
"""Two to four GFLOP each, of the sides and widths that networks have."""


def write_chain(path: Path, shape: Shape, *, quantised: bool) -> None:
    """Write it as ONNX with random weights; quantised: unsigned 8-bit activations, signed 7-bit
    weights. Its logits are [rows, width]: of a convolution, the means of the channels."""
    onnx = require("onnx", "cpu", "measuring the processor's limit")
    helper, numpy_helper = onnx.helper, onnx.numpy_helper
    rng = np.random.default_rng(0)
    weight_shape = (shape.width, shape.width, *[shape.kernel] * (2 if shape.kernel else 0))
    deviation = float(np.sqrt(2 * shape.width / np.prod(weight_shape)))  # keeps the magnitude
    weight_scale = _DEVIATIONS * deviation / _WEIGHT_LEVELS
    tensors = [
        numpy_helper.from_array(np.array(_ACTIVATION_SCALE, np.float32), "scale"),
        numpy_helper.from_array(np.array(0, np.uint8), "zero"),
        numpy_helper.from_array(np.array(weight_scale, np.float32), "weight_scale"),
        numpy_helper.from_array(np.array(0, np.int8), "weight_zero"),
    ]
    nodes: list[Any] = []

    def add(kind: str, sources: list[str], result: str, **attributes: Any) -> str:
        nodes.append(helper.make_node(kind, sources, [result], **attributes))
        return result

    def rounded(source: str, i: int) -> str:
        levels = add("QuantizeLinear", [source, "scale", "zero"], f"a{i}")
        return add("DequantizeLinear", [levels, "scale", "zero"], f"b{i}")

    last = "input" if shape.kernel else add("Flatten", ["input"], "x")
    for i in range(shape.layers):
        weight, right = rng.normal(0, deviation, weight_shape), f"w{i}"
        if quantised:
            levels = np.clip(np.rint(weight / weight_scale), -_WEIGHT_LEVELS, _WEIGHT_LEVELS)
            tensors.append(numpy_helper.from_array(levels.astype(np.int8), f"q{i}"))
            add("DequantizeLinear", [f"q{i}", "weight_scale", "weight_zero"], right)
            last = rounded(last, i)
        else:
            tensors.append(numpy_helper.from_array(weight.astype(np.float32), right))
        if shape.kernel:
            last = add("Conv", [last, right], f"y{i}", pads=[shape.kernel // 2] * 4)
        else:
            last = add("MatMul", [last, right], f"y{i}")
        if i < shape.layers - 1:
            last = add("Relu", [last], f"x{i}")
    if shape.kernel:
        if quantised:  # runtimes take a convolution for an integer one between two such pairs
            last = rounded(last, shape.layers)
        last = add("GlobalAveragePool", [last], "means")
    add("Flatten", [last], "logits")
    float32 = onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        "chain",
        [helper.make_tensor_value_info("input", float32, ["N", *shape.input])],
        [helper.make_tensor_value_info("logits", float32, ["N", shape.width])],
        tensors,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    metadata = {
        **InputSpec(*shape.input).to_metadata(),
        "precision": "int8" if quantised else "fp32",
    }
    helper.set_model_props(model, {METADATA_KEY: json.dumps(metadata)})
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
