"""A foreign graph between nodes of ours: NCHW floats in, logits [N, K] out, and nothing repaired.

In front stand Clip, Cast, Transpose and Reshape, behind Cast, Flatten and the two classes of a
threshold, as far as the readings want them; between them the graph is the one that was given, but
for nodes and inputs that its logits do not need.
"""

import json
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.input_spec import METADATA_KEY
from smoothcert.engine.models.unloadable import opset_of
from smoothcert.export.foreign.input_reading import InputReading
from smoothcert.export.foreign.logits_reading import LogitsReading
from smoothcert.export.foreign.needed_nodes import keep_needed
from smoothcert.export.foreign.options import PIXELS
from smoothcert.export.foreign.tensor_names import TensorNames, name_nodes

INPUT, LOGITS, BATCH = "input", "logits", "N"
"""The names of the one input, the one output, and the open batch dimension."""

_TYPES = {
    "float32": TensorProto.FLOAT,
    "float16": TensorProto.FLOAT16,
    "bfloat16": TensorProto.BFLOAT16,
    "float64": TensorProto.DOUBLE,
    "uint8": TensorProto.UINT8,
    "int16": TensorProto.INT16,
    "int32": TensorProto.INT32,
    "int64": TensorProto.INT64,
}
_BOUNDS_ARE_INPUTS = 11  # Clip: since this opset
_WEIGHTS_ARE_NO_INPUTS = 4  # initializers: since this IR version
_OPSET_OF_OURS = 17
"""Of our nodes in a graph that has none of ONNX's own operators."""
_LARGEST_FILE = 2**31 - 1


class TooLargeError(InputError):
    """A model does not fit into one file."""


def canonical(model: Any, taken: InputReading, returned: LogitsReading) -> Any:
    """Make a model (onnx.ModelProto) canonical, in place, and return it.

    The same arguments give the same bytes when it is serialised.
    """
    graph = model.graph
    opset = opset_of(model)
    if opset is None:
        opset = _OPSET_OF_OURS
        model.opset_import.add(domain="", version=opset)
    keep_needed(graph, returned.name)
    name_nodes(graph)
    names = TensorNames(graph)
    names.free(INPUT)
    names.free(LOGITS)
    build = _Build(names)
    before, after = _before(build, taken, opset), _after(build, taken, returned)
    _join(names, before, INPUT, names.now(taken.name), INPUT)
    _join(names, after, names.now(returned.name), LOGITS, LOGITS)
    for node in reversed(before):
        graph.node.insert(0, node)
    graph.node.extend(after)
    graph.initializer.extend(build.weights)
    batch = taken.batch or BATCH
    shapes = ([batch, *taken.spec.shape], [batch, returned.classes])
    kinds = (_TYPES[taken.canonical_type], _TYPES[_logits_type(returned)])
    del graph.input[:], graph.output[:]
    graph.input.append(helper.make_tensor_value_info(INPUT, kinds[0], shapes[0]))
    graph.output.append(helper.make_tensor_value_info(LOGITS, kinds[1], shapes[1]))
    graph.ClearField("value_info")  # shapes and names are others now
    graph.ClearField("quantization_annotation")
    model.ir_version = max(model.ir_version, _WEIGHTS_ARE_NO_INPUTS)
    return model


def serialised(model: Any, metadata: dict[str, Any]) -> bytes:
    """The bytes of a model with that property of ours; raises TooLargeError where one file cannot
    hold them."""
    properties = {entry.key: entry.value for entry in model.metadata_props}
    properties[METADATA_KEY] = json.dumps(metadata, sort_keys=True)
    helper.set_model_props(model, properties)
    size = model.ByteSize()
    if size > _LARGEST_FILE:
        raise TooLargeError(
            f"the model has {size:,} bytes with its preprocessing: expected less than 2 GiB, which "
            "one ONNX file can hold"
        )
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def _logits_type(returned: LogitsReading) -> str:
    halves = ("float16", "bfloat16")
    return returned.number_type if returned.number_type in halves else "float32"


class _Build:
    """Nodes of ours, with weights of theirs, under names that are free."""

    def __init__(self, names: TensorNames) -> None:
        self.names = names
        self.weights: list[Any] = []

    def weight(self, name: str, value: Any) -> str:
        """A constant."""
        name = self.names.fresh(f"smoothcert_{name}")
        self.weights.append(numpy_helper.from_array(value, name))
        return name

    def typed(self, name: str, value: float, kind: str) -> str:
        """A constant number of one of the number types of ONNX."""
        name = self.names.fresh(f"smoothcert_{name}")
        self.weights.append(helper.make_tensor(name, _TYPES[kind], [1], [value]))
        return name

    def node(self, operator: str, inputs: list[str], **attributes: Any) -> Any:
        """A node, whose result has a free name."""
        name = self.names.fresh(f"smoothcert_{operator.lower()}")
        return helper.make_node(operator, inputs, [name], name=name, **attributes)


def _before(build: _Build, taken: InputReading, opset: int) -> list[Any]:
    """From the canonical input to the given one: a chain, whose first node reads INPUT."""
    chain: list[Any] = []

    def add(operator: str, *others: str, **attributes: Any) -> None:
        last = chain[-1].output[0] if chain else INPUT
        chain.append(build.node(operator, [last, *others], **attributes))

    if taken.clamped:
        low, high = PIXELS
        if opset >= _BOUNDS_ARE_INPUTS:
            bounds = [
                build.weight(n, np.array(v, np.float32)) for n, v in (("low", low), ("high", high))
            ]
            add("Clip", *bounds)
        else:
            add("Clip", min=low, max=high)
    if taken.number_type != taken.canonical_type:
        add("Cast", to=_TYPES[taken.number_type])
    if taken.arrangement in ("nhwc", "rows nhwc"):
        add("Transpose", perm=[0, 2, 3, 1])
    if taken.arrangement not in ("nchw", "nhwc"):
        sides = np.array([0, *taken.given_shape], np.int64)
        add("Reshape", build.weight("input_shape", sides))
    return chain


def _after(build: _Build, taken: InputReading, returned: LogitsReading) -> list[Any]:
    """From the given output to logits: a chain, whose first node reads what _join will tell it."""
    chain: list[Any] = []

    def add(operator: str, *others: str, **attributes: Any) -> None:
        last = chain[-1].output[0] if chain else ""
        chain.append(build.node(operator, [last, *others], **attributes))

    scalar = _logits_type(returned)
    if returned.number_type != scalar:
        add("Cast", to=_TYPES[scalar])
    rank = len(returned.shape)
    if rank > 2:
        add("Flatten", axis=1)
    elif rank < 2:
        columns = 1 if returned.threshold is not None else returned.classes
        rows = -1 if taken.batch is None else taken.batch
        add("Reshape", build.weight("logits_shape", np.array([rows, columns], np.int64)))
    if returned.threshold is not None:
        if not chain:
            add("Identity")
        scores = chain[-1].output[0]
        bound = build.typed("threshold", returned.threshold, scalar)
        below = build.node("Sub", [bound, scores])
        above = build.node("Sub", [scores, bound])
        both = build.node("Concat", [below.output[0], above.output[0]], axis=1)
        chain += [below, above, both]
    return chain


def _join(names: TensorNames, chain: list[Any], first: str, last: str, own: str) -> None:
    """Let a chain lead from tensor `first` to tensor `last`; an empty one makes them one tensor, by
    the name `own`."""
    if chain:
        chain[0].input[0], chain[-1].output[0] = first, last
    else:
        names.rename(last if own == first else first, own)
