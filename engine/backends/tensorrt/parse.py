"""An ONNX classifier as a TensorRT network with a static batch; refusals name the node."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from smoothcert.engine.backends.device.network import default_batch
from smoothcert.engine.backends.tensorrt.log import LogKeeper
from smoothcert.engine.backends.tensorrt.onnx_facts import OnnxFacts
from smoothcert.engine.base.errors import InputError, one_line
from smoothcert.engine.base.input_spec import SCALAR_BYTES, InputSpec, Scalar
from smoothcert.engine.models.model import batch_of

_SCALARS: dict[str, Scalar] = {"FLOAT": "float32", "HALF": "float16", "BF16": "bfloat16"}
# The lowest first: one layer of it gives the engine its name.
_PRECISIONS = {"FP4": "fp4", "INT4": "int4", "FP8": "fp8", "INT8": "int8", "BF16": "bf16",
               "HALF": "fp16", "FLOAT": "fp32"}  # fmt: skip


@dataclass(frozen=True)
class NetworkFacts:
    """A network that is ready to be built: its one input and its logits.

    layers  number of layers by the precision they yield, weights and shapes left out
    """

    spec: InputSpec
    num_classes: int
    batch: int
    input_name: str
    input_scalar: Scalar
    logits_name: str
    logits_scalar: Scalar
    precision: str
    layers: dict[str, int]


def parse_network(
    trt: Any, log: LogKeeper, network: Any, onnx: OnnxFacts, batch: int | None
) -> NetworkFacts:
    """Fill a TensorRT network from an ONNX model and fix its batch.

    batch  rows of every run; None takes the model's own, or default_batch where that is open
    Raises InputError, naming the node, for what the parser refuses, and for a model that is no
    classifier of images.
    """

    def unparsed(reason: str) -> InputError:
        return InputError(f"model {onnx.path} cannot be parsed by TensorRT: {reason}")

    parser = log.ask(lambda: trt.OnnxParser(network, log.logger), unparsed)
    log.ask(
        lambda: parser.parse(onnx.content, str(onnx.path)),
        lambda reason: _refusal(parser, onnx) or unparsed(reason),
    )
    if network.num_inputs != 1:
        names = ", ".join(network.get_input(i).name for i in range(network.num_inputs))
        raise InputError(
            f"model {onnx.path} has {network.num_inputs} inputs ({names}): expected one, images "
            "NCHW"
        )
    for index in range(network.num_outputs - 1, 0, -1):  # only the first output is logits
        network.unmark_output(network.get_output(index))
    images, logits = network.get_input(0), network.get_output(0)
    shape = [int(side) for side in images.shape]
    scalar = _SCALARS.get(images.dtype.name)
    if len(shape) != 4 or min(shape[1:]) < 1 or scalar is None:
        raise InputError(
            f"model {onnx.path} takes {images.dtype.name} {shape}: expected FLOAT, HALF or BF16 "
            "[N, C, H, W] with fixed C, H, W; export it again"
        )
    spec = _spec(onnx, shape)
    rows = batch_of(onnx.path, shape[0] if shape[0] > 0 else None, batch)
    rows = rows or default_batch(spec.num_pixels * SCALAR_BYTES[scalar])
    images.shape = (rows, *shape[1:])
    num_classes = _classes(onnx, log, logits, rows)
    images.allowed_formats = logits.allowed_formats = 1 << int(trt.TensorFormat.LINEAR)
    layers = _layers(trt, network)
    lowest = next((name for name in _PRECISIONS.values() if name in layers), "fp32")
    return NetworkFacts(
        spec,
        num_classes,
        rows,
        images.name,
        scalar,
        logits.name,
        _SCALARS[logits.dtype.name],
        lowest,
        layers,
    )


def _refusal(parser: Any, onnx: OnnxFacts) -> InputError | None:
    if not parser.num_errors:
        return None
    refused = parser.get_error(0)
    node = f"{refused.node_name()!r} ({refused.node_operator()})"
    where = f", node {node}" if refused.node() >= 0 else ""
    more = f"; {parser.num_errors - 1} more" if parser.num_errors > 1 else ""
    reason = one_line(refused.desc(), 300)
    return InputError(f"model {onnx.path}{where} is refused by TensorRT's parser: {reason}{more}")


def _spec(onnx: OnnxFacts, shape: list[int]) -> InputSpec:
    if not onnx.metadata:
        return InputSpec.of_shape(*shape[1:])
    spec = InputSpec.from_metadata(onnx.metadata)
    if list(spec.shape) != shape[1:]:
        raise InputError(
            f"model {onnx.path} takes {shape[1:]} but its metadata says {list(spec.shape)}: "
            "expected them to agree; export it again"
        )
    return spec


def _classes(onnx: OnnxFacts, log: LogKeeper, logits: Any, batch: int) -> int:
    try:
        shape = [int(side) for side in logits.shape]
    except ValueError:  # how the bindings say that the shapes do not fit together
        raise InputError(
            f"model {onnx.path} does not work at batch {batch}: {log.reason()}"
        ) from None
    if len(shape) != 2 or shape[0] != batch or shape[1] < 1 or logits.dtype.name not in _SCALARS:
        raise InputError(
            f"model {onnx.path} returns {logits.dtype.name} {shape} for {batch} images: expected "
            f"logits [{batch}, K]"
        )
    return shape[1]


def _layers(trt: Any, network: Any) -> dict[str, int]:
    found: Counter[str] = Counter()
    for index in range(network.num_layers):
        layer = network.get_layer(index)
        if layer.type != trt.LayerType.CONSTANT and layer.num_outputs:
            name = layer.get_output(0).dtype.name
            if name in _PRECISIONS:
                found[_PRECISIONS[name]] += 1
    return dict(sorted(found.items()))
