"""Small ONNX classifiers as others write them, and the logs of runs with them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

import smoothcert

CLASSES = 5
SHAPE = (3, 8, 8)

Sides = Sequence[int | str | None]


def node(operator: str, inputs: Sequence[str], outputs: Sequence[str], **given: Any) -> NodeProto:
    """A node."""
    return helper.make_node(operator, inputs, outputs, **given)


def value(name: str, shape: Sides | None, kind: int = TensorProto.FLOAT) -> ValueInfoProto:
    """A float input or output, or one of another kind."""
    return helper.make_tensor_value_info(name, kind, shape)


def weights(classes: int = CLASSES, channels: int = 3) -> npt.NDArray[np.float32]:
    """Those of `classifier`: its classes differ in how they weigh the means of the channels."""
    spread = np.random.default_rng(5).normal(size=(classes, channels))
    centred: npt.NDArray[np.float64] = spread - spread.mean(axis=1, keepdims=True)
    return centred.astype(np.float32)


def classifier(
    path: Path,
    *,
    inputs: Sequence[ValueInfoProto] | None = None,
    outputs: Sequence[ValueInfoProto] | None = None,
    before: Sequence[NodeProto] = (),
    last: str = "x",
    after: Sequence[NodeProto] = (),
    tensors: dict[str, npt.NDArray[Any]] | None = None,
    classes: int = CLASSES,
    channels: int = 3,
    bias: npt.NDArray[np.float32] | None = None,
    opset: int = 17,
    ir: int = 8,
) -> Path:
    """Write a classifier of the channels' means: from x, through `before` to the tensor `last`
    [N, C, H, W], whose means are g [N, C, 1, 1], to y [N, classes], through `after`."""
    nodes = [
        *before,
        node("GlobalAveragePool", [last], ["g"], name="pool"),
        node("Flatten", ["g"], ["f"], name="flat"),
        node("Gemm", ["f", "W", "B"], ["y"], name="fc", transB=1),
        *after,
    ]
    own = {"W": weights(classes, channels), "B": np.zeros(classes, np.float32)}
    if bias is not None:
        own["B"] = bias
    graph = helper.make_graph(
        nodes,
        "foreign",
        inputs or [value("x", ["N", *SHAPE])],
        outputs or [value("y", ["N", classes])],
        [
            numpy_helper.from_array(array, name)
            for name, array in {**own, **(tensors or {})}.items()
        ],
    )
    opsets = [helper.make_opsetid("", opset)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=ir)
    onnx.save(model, str(path))
    return path


def images(path: Path, classes: int = CLASSES, shape: tuple[int, ...] = (8, 8, 3)) -> Path:
    """Write an .npz of six images, each of nearly one colour and nearly grey: noise of sigma 0.25
    turns some votes of `classifier`, not most."""
    rng = np.random.default_rng(1)
    colours = rng.normal(150, 9, (6, *(1 for _ in shape[:2]), *shape[2:]))
    pixels = (colours + rng.normal(0, 5, (6, *shape))).round().clip(0, 255).astype(np.uint8)
    np.savez(path, images=pixels, labels=np.arange(6) % classes)
    return path


def certified(model: Path, source: Path, log: Path, **options: Any) -> list[list[str]]:
    """The rows of a log but for their times: three images certified by few samples."""
    run = {"sigma": 0.25, "n0": 20, "n": 200, "seed": 3, "max": 3, "batch": 64, "threads": 1}
    smoothcert.certify(model, source, out=log, **{"backend": "onnxruntime", **run, **options}).run()
    return [line.split("\t")[:5] for line in log.read_text().splitlines()[1:]]
