"""How much each layer, quantised alone, changes the logits: one network with a switch for each.

Every quantised layer stands beside its float32 one, and a number chooses: so one session on few
rows ranks all layers, where a model, a session and many votes for each would take most of the time
of an export.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from smoothcert.engine.base.cores import usable_cores
from smoothcert.engine.base.errors import require
from smoothcert.engine.models.onnx_graph import load_onnxruntime
from smoothcert.export.precision.watching import Ran

_CHOICE = "quantised_layer"
_NONE = -1


def ranked_by_harm(
    floats: Any,
    quantised: Any,
    layers: Sequence[str],
    inputs: npt.NDArray[np.float32],
    folder: Path,
    *,
    optimised: bool,
    ran: Ran,
) -> list[str]:
    """The layers, those first whose quantisation alone moves the logits most (root of the mean
    square over rows and classes; what moves all classes of a row alike moves no vote).

    floats     the onnx.ModelProto in float32
    quantised  the same with all layers quantised
    inputs     float32 [rows, C, H, W]
    optimised  whether ONNX Runtime may optimise it: not with 8-bit floats
    ran        is told of the rows of each layer
    Equals go by the network's order.
    """
    network = _Switched(floats, quantised, layers, folder, optimised)
    plain = network.logits(inputs, _NONE)
    harm = {}
    for number, layer in enumerate(layers):
        moved = network.logits(inputs, number) - plain
        moved -= moved.mean(axis=1, keepdims=True)
        size = float(np.sqrt(np.mean(moved**2)))
        harm[layer] = size if np.isfinite(size) else np.inf
        ran(len(inputs))
    return sorted(layers, key=lambda layer: -harm[layer])


class _Switched:
    def __init__(
        self, floats: Any, quantised: Any, layers: Sequence[str], folder: Path, optimised: bool
    ) -> None:
        onnx = require("onnx", "export", "exporting to ONNX")
        path = folder / "switched.onnx"
        # Beside the file, tensors may be larger than one file's two gigabytes.
        onnx.save(
            _switched(onnx, floats, quantised, layers),
            str(path),
            save_as_external_data=True,
            location="switched.data",
        )
        runtime = load_onnxruntime()
        options = runtime.SessionOptions()
        options.intra_op_num_threads = usable_cores()
        options.log_severity_level = 4
        if not optimised:
            options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
        self._session = runtime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )

    def logits(self, inputs: npt.NDArray[np.float32], choice: int) -> npt.NDArray[np.float32]:
        """Of the network with one layer quantised, by its number."""
        given = {"input": inputs, _CHOICE: np.array(choice, np.int64)}
        (found,) = self._session.run(["logits"], given)
        return np.asarray(found, np.float32)


def _switched(onnx: Any, floats: Any, quantised: Any, layers: Sequence[str]) -> Any:
    """The float32 model with an If around each layer, whose other branch is the quantised one."""
    opset = _opset(quantised)
    if _opset(floats) == opset:
        model = onnx.ModelProto()
        model.CopyFrom(floats)
    else:
        model = onnx.version_converter.convert_version(floats, opset)
    helper, graph = onnx.helper, model.graph
    choice = helper.make_tensor_value_info(_CHOICE, onnx.TensorProto.INT64, [])
    graph.input.append(choice)
    reader = _Quantised(onnx, quantised)
    nodes = list(graph.node)
    graph.ClearField("node")
    for node in nodes:
        if node.name not in layers:
            graph.node.append(node)
            continue
        number = layers.index(node.name)
        label, chosen = f"{_CHOICE}_{number}", f"{_CHOICE}_{number}_chosen"
        label_tensor = onnx.numpy_helper.from_array(np.array(number, np.int64), label)
        graph.initializer.append(label_tensor)
        graph.node.append(helper.make_node("Equal", [_CHOICE, label], [chosen]))
        result = node.output[0]
        eight, tensors = reader.layer(node, f"{_CHOICE}_{number}_")
        graph.initializer.extend(tensors)
        node.output[0] = f"{_CHOICE}_{number}_float"
        branches = [
            helper.make_graph(inside, f"{name}_{number}", [], [_untyped(onnx, inside)])
            for name, inside in (("eight", eight), ("float", [node]))
        ]
        graph.node.append(
            helper.make_node(
                "If", [chosen], [result], then_branch=branches[0], else_branch=branches[1]
            )
        )
    return model


def _untyped(onnx: Any, nodes: Sequence[Any]) -> Any:
    """The last node's result, of float32 and whatever shape."""
    return onnx.helper.make_tensor_value_info(nodes[-1].output[0], onnx.TensorProto.FLOAT, None)


class _Quantised:
    """Reads the layers of a quantised model as nodes that take a float32 model's tensors."""

    def __init__(self, onnx: Any, model: Any) -> None:
        self._onnx = onnx
        self._tensors = {tensor.name: tensor for tensor in model.graph.initializer}
        self._nodes = {node.name: node for node in model.graph.node}
        self._maker = {name: node for node in model.graph.node for name in node.output}
        self._to_eight = {n.input[0]: n for n in model.graph.node if n.op_type == "QuantizeLinear"}
        self._to_float = {
            n.input[0]: n for n in model.graph.node if n.op_type == "DequantizeLinear"
        }

    def layer(self, node: Any, prefix: str) -> tuple[list[Any], list[Any]]:
        """A float32 layer as the quantised model has it, and the tensors that it needs."""
        quantised = self._nodes[node.name]
        nodes: list[Any] = []
        needed: dict[str, Any] = {}

        def copied(original: Any, inputs: Sequence[str], output: str) -> str:
            """A copy that reads `inputs`, and then its own copies of the same constants."""
            new = self._onnx.NodeProto()
            new.CopyFrom(original)
            new.name = output
            constants = list(original.input)[len(inputs) :]
            for name in constants:
                needed[name] = self._tensors[name]
            new.input[:] = [*inputs, *(prefix + name for name in constants)]
            new.output[:] = [output]
            nodes.append(new)
            return output

        def rounded(name: str, quantize: Any, dequantize: Any, label: str) -> str:
            eight = copied(quantize, [name], f"{prefix}{label}_eight")
            return copied(dequantize, [eight], f"{prefix}{label}_rounded")

        inputs = []
        for number, name in enumerate(quantised.input):
            given = node.input[number]
            dequantize = self._maker.get(name)
            if dequantize is None or dequantize.op_type != "DequantizeLinear":
                inputs.append(given)
            elif dequantize.input[0] in self._tensors:  # a weight, stored quantised
                inputs.append(copied(dequantize, [], f"{prefix}input_{number}"))
            else:
                quantize = self._maker[dequantize.input[0]]
                inputs.append(rounded(given, quantize, dequantize, f"input_{number}"))
        result = copied(quantised, inputs, f"{prefix}result")
        if (quantize := self._to_eight.get(quantised.output[0])) is not None:
            rounded(result, quantize, self._to_float[quantize.output[0]], "result")
        tensors = []
        for name, tensor in needed.items():
            own = self._onnx.TensorProto()
            own.CopyFrom(tensor)
            own.name = prefix + name
            tensors.append(own)
        return nodes, tensors


def _opset(model: Any) -> int:
    entries = model.opset_import
    return next(int(entry.version) for entry in entries if entry.domain in ("", "ai.onnx"))
