"""An ONNX model made ready for the walk: functions inlined, one input, what an output needs."""

from dataclasses import dataclass
from typing import Any

import onnx
import onnx.inliner
from onnx import TensorProto

from smoothcert.engine.models.row_independence.hazards import inside, names_read
from smoothcert.engine.models.row_independence.sizes import (
    OPEN,
    Shape,
    Size,
    product,
    shape_of,
    size,
)
from smoothcert.engine.models.row_independence.values import LARGEST
from smoothcert.engine.models.row_independence.verdict import unknown

_OLDEST_OPSET = 7  # before, operators broadcast and normalise by other rules
# A runtime may run its own kernel where onnx would inline a function of this name.
_TAKEN_DOMAINS = ("ai.onnx", "com.", "org.pytorch")


@dataclass(frozen=True)
class Source:
    """What is walked.

    graph   the main graph; no node calls a function of the model
    opsets  versions by domain, that of ONNX's own operators under ""
    input   the name of the one input, and its `shape`, the batch first
    """

    graph: Any
    opsets: dict[str, int]
    input: str
    shape: Shape

    @property
    def batch(self) -> Size:
        """N, or the number that the file (or the question) fixes."""
        return self.shape[0]


def read(model: Any, shape: tuple[int, ...] | None, batch: int | None) -> Source:
    """Stops where the model is none that can be followed.

    shape  of one row, channels first: fills open dimensions (None: the file's own must be fixed)
    batch  of every run, where it is known; None: the file's own, or any
    """
    model = _inlined(model)
    opsets = _opsets(model)
    graph = model.graph
    _plain_domain(graph.node)
    weights = {tensor.name for tensor in graph.initializer}
    weights |= {tensor.values.name for tensor in graph.sparse_initializer}
    inputs = [value for value in graph.input if value.name not in weights]
    if len(inputs) != 1:
        unknown(f"the model has {len(inputs)} inputs: one is followed")
    dims = [max(dim.dim_value, 0) for dim in inputs[0].type.tensor_type.shape.dim]
    if not dims:
        unknown("the model's input has no shape")
    own, rest = dims[0], _row_shape(dims[1:], shape)
    if batch and own not in (0, batch):
        unknown(f"the model's batch is fixed at {own}: not {batch}")
    rows = size(own or batch or OPEN)
    return Source(graph, opsets, inputs[0].name, (rows, *shape_of(rest)))


def _row_shape(own: list[int], asked: tuple[int, ...] | None) -> tuple[int, ...]:
    """The file's dimensions beside the batch, those left open (0) filled from `asked`: channels
    first, else channels last."""
    if asked is None or (all(own) and sorted(own) == sorted(asked)):
        if not all(dim > 0 for dim in own):
            unknown("the model leaves open what a row of its input is")
        return tuple(own)
    for order in (asked, (*asked[1:], asked[0])):
        if len(own) == len(order) and all(a in (0, b) for a, b in zip(own, order, strict=True)):
            return order
    return unknown(f"the model's rows are {own}: not {list(asked)}, channels first or last")


def _opsets(model: Any) -> dict[str, int]:
    opsets: dict[str, int] = {}
    for entry in model.opset_import:
        domain = "" if entry.domain == "ai.onnx" else entry.domain
        if opsets.setdefault(domain, entry.version) != entry.version:
            unknown(f"the model imports two versions of {domain or 'ai.onnx'!r}")
    newest, own = onnx.defs.onnx_opset_version(), opsets.get("", 1)
    if not _OLDEST_OPSET <= own <= newest:
        unknown(f"opset {own} is not followed: {_OLDEST_OPSET} to {newest} are")
    return opsets


def _plain_domain(nodes: Any) -> None:
    """ONNX's own domain has two names; nodes are left with the empty one."""
    for node in nodes:
        for one in (node, *inside(node)):
            if one.domain == "ai.onnx":
                one.domain = ""


def _inlined(model: Any) -> Any:
    """The model without functions of its own."""
    if not model.functions:
        return model
    if any(not f.domain or f.domain.startswith(_TAKEN_DOMAINS) for f in model.functions):
        unknown("a function of the model bears the name of a domain that runtimes have kernels for")
    return onnx.inliner.inline_local_functions(_light(model))


def _light(model: Any) -> Any:
    """A copy in which the content of large tensors is left out."""
    light = onnx.ModelProto(ir_version=model.ir_version)
    light.opset_import.extend(model.opset_import)
    light.functions.extend(model.functions)
    light.graph.name = model.graph.name
    for part in ("node", "input", "output", "sparse_initializer"):
        getattr(light.graph, part).extend(getattr(model.graph, part))
    for tensor in model.graph.initializer:
        kept = light.graph.initializer.add()
        if tensor.data_location != TensorProto.EXTERNAL and int(product(tensor.dims)) <= LARGEST:
            kept.CopyFrom(tensor)
        else:
            kept.name, kept.data_type, kept.data_location = tensor.name, tensor.data_type, 1
            kept.dims.extend(tensor.dims)
            kept.external_data.add(key="location", value="left out")
    return light


def ancestors(graph: Any, output: str) -> list[Any]:
    """The nodes that `output` is computed from, in the graph's order: what nobody reads is no
    fault."""
    wanted, found = {output}, []
    for node in reversed(graph.node):
        if wanted.intersection(node.output):
            found.append(node)
            wanted.update(names_read(node))
    return found[::-1]
