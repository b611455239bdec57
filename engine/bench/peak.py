"""The processor's limit, as a runtime reaches it: large matrix products in a run's precision."""

import json
import time
from pathlib import Path

import numpy as np

from smoothcert.engine.backends.base import Network
from smoothcert.engine.backends.host.runtimes import open_host_network
from smoothcert.engine.base.errors import require
from smoothcert.engine.base.input_spec import METADATA_KEY, InputSpec
from smoothcert.engine.models.model import open_onnx

ROWS, WIDTH, LAYERS = 512, 2048, 4
PRECISIONS = ("fp32", "bf16", "int8")
_FLOPS_PER_ROW = 2 * WIDTH * WIDTH * LAYERS


def write_products(path: Path, quantised: bool, width: int = WIDTH, layers: int = LAYERS) -> None:
    """An ONNX chain of `layers` matrix products [N, width] x [width, width] with ReLU between;
    quantised: unsigned 8-bit activations, signed 8-bit weights."""
    onnx = require("onnx", "cpu", "measuring the processor's limit")
    helper, numpy_helper = onnx.helper, onnx.numpy_helper
    rng = np.random.default_rng(0)
    nodes = [helper.make_node("Flatten", ["input"], ["x0"])]
    tensors = [
        numpy_helper.from_array(np.array(0.02, np.float32), "scale"),
        numpy_helper.from_array(np.array(0, np.uint8), "zero"),
        numpy_helper.from_array(np.array(0.001, np.float32), "weight_scale"),
        numpy_helper.from_array(np.array(0, np.int8), "weight_zero"),
    ]
    for i in range(layers):
        weight = rng.normal(0, 0.03, (width, width))
        source, right = f"x{i}", f"w{i}"
        if quantised:
            rounded = np.clip(np.rint(weight / 0.001), -127, 127).astype(np.int8)
            tensors.append(numpy_helper.from_array(rounded, f"q{i}"))
            nodes += [
                helper.make_node("QuantizeLinear", [source, "scale", "zero"], [f"a{i}"]),
                helper.make_node("DequantizeLinear", [f"a{i}", "scale", "zero"], [f"b{i}"]),
                helper.make_node(
                    "DequantizeLinear", [f"q{i}", "weight_scale", "weight_zero"], [right]
                ),
            ]
            source = f"b{i}"
        else:
            tensors.append(numpy_helper.from_array(weight.astype(np.float32), right))
        out = "logits" if i == layers - 1 else f"y{i}"
        nodes.append(helper.make_node("MatMul", [source, right], [out]))
        if i < layers - 1:
            nodes.append(helper.make_node("Relu", [out], [f"x{i + 1}"]))
    float32 = onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        "products",
        [helper.make_tensor_value_info("input", float32, ["N", 1, 1, width])],
        [helper.make_tensor_value_info("logits", float32, ["N", width])],
        tensors,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    metadata = {
        **InputSpec(1, 1, width).to_metadata(),
        "precision": "int8" if quantised else "fp32",
    }
    helper.set_model_props(model, {METADATA_KEY: json.dumps(metadata)})
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


class PeakLoop:
    """A Loop whose "samples" are operations: its rate is operations per second.

    folder  for the model while this object is made
    """

    name = "peak"

    def __init__(self, backend: str, precision: str, threads: int, folder: Path) -> None:
        path = folder / "products.onnx"
        write_products(path, quantised=precision == "int8")
        model = open_onnx(path)
        self._network: Network = open_host_network(model, backend, precision, ROWS, threads)
        self._network.inputs[:] = np.random.default_rng(0).random((ROWS, WIDTH), np.float32)

    def warm(self, seconds: float) -> None:
        """See Loop.warm."""
        self.run(seconds)

    def run(self, seconds: float) -> tuple[int, float]:
        """See Loop.run."""
        operations, start = 0, time.perf_counter()
        while True:
            self._network.run()
            operations += ROWS * _FLOPS_PER_ROW
            elapsed = time.perf_counter() - start
            if elapsed >= seconds:
                return operations, elapsed
